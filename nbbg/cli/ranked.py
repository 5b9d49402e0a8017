"""Runs and arms in the order of a metric, as `nbbg results --best` tells them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from nbbg import files
from nbbg.cli import output, table
from nbbg.ops import reports
from nbbg.store import imported

if TYPE_CHECKING:
    from nbbg import model
    from nbbg.results.ranking import ArmRank, Ranked, Ranking
    from nbbg.results.reducing import Reduction


def in_order(found: Ranking) -> list[model.Run]:
    """All runs, those that have no place last."""
    return [one.run for one in found.runs] + [run for run, _ in found.left_out]


def show(found: Ranking, runs: list[model.Run], metric: str) -> int:
    """Print both orders; what has no place in them is said."""
    if found.runs:
        _show_orders(found, metric)
    else:
        print(f"no run has a place in the order of {metric}")
    for changed in imported.changes(runs):
        output.say(changed)
    if found.left_out:
        reasons = Counter(why for _, why in found.left_out)
        counted = ", ".join(f"{why} ({count})" for why, count in reasons.items())
        output.say(f"left out of the order, {len(found.left_out)}: {counted}")
    return 0


def _show_orders(found: Ranking, metric: str) -> None:
    head = ("rank", metric, "arm", "number", "seed", "run")
    table.show(head, map(_of_run, found.runs), numbers={*head} - {"arm"})
    print()
    head = ("arm", "runs", f"mean {metric}", "best", "run", "left out")
    table.show(head, map(_of_arm, found.arms), numbers=head[1:])


def to_json(found: Ranking, metric: str, how: Reduction) -> Any:
    """All of it as JSON."""
    return files.strict(
        {
            "metric": metric,
            "lower_is_better": how.lower_is_better,
            "runs": [
                {"rank": one.rank, "value": one.value, **reports.of_run(one.run).to_json()}
                for one in found.runs
            ],
            "arms": [
                {
                    "arm": arm.arm,
                    "runs": arm.runs,
                    "mean": arm.mean,
                    "best": arm.best.value,
                    "best_run": arm.best.run.id,
                    "left_out": arm.left_out,
                }
                for arm in found.arms
            ],
            "left_out": [{"run": run.id, "why": why} for run, why in found.left_out],
        }
    )


def _of_run(one: Ranked) -> list[str]:
    run = one.run
    ids = map(str, (run.number, run.seed, run.id))
    return [str(one.rank), table.number(one.value), run.arm.name, *ids]


def _of_arm(arm: ArmRank) -> list[str]:
    values = map(table.number, (arm.mean, arm.best.value))
    return [arm.arm, str(arm.runs), *values, str(arm.best.run.id), str(arm.left_out)]
