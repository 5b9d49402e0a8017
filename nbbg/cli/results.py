"""`nbbg results`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from nbbg import files, results
from nbbg.cli import kept, output, reading, table
from nbbg.errors import UsageError
from nbbg.ops import reports, selection
from nbbg.store import imported

if TYPE_CHECKING:
    import argparse

    from nbbg import model

_HEAD = ("arm", "number", "seed", "run", "state", "time")


def command(arguments: argparse.Namespace) -> int:
    """One row a run, by arm and number, or in the order of a metric."""
    where = reading.here()
    with reading.index(where) as index:
        runs = selection.Runs(index, arguments.ids) if arguments.ids else index.each()
        found = results.current(runs)
    if arguments.best:
        return _best(found, arguments)
    if arguments.json:
        output.document([kept.report(run) for run in found])
        return 0
    found, others = kept.as_columns(found)
    if arguments.csv:
        return _csv(found, arguments.csv)
    names = results.metrics(found)
    rows = [_texts(results.row(run, names)) for run in found]
    if not rows:
        print("no runs yet\n  nbbg run NOTEBOOK --runs 20")
    table.show((*_HEAD, *names), rows, numbers=("number", "seed", "run", "time", *names))
    for changed in imported.changes(found):
        output.say(changed)
    if others:
        output.say(f"also kept: {', '.join(others)}; see: nbbg show RUN --result NAME")
    return 0


def _texts(row: list[Any]) -> list[str]:
    arm, number, seed, run, state, seconds, *values = row
    fixed = [arm, str(number), str(seed), str(run), state, table.duration(seconds)]
    return [*fixed, *map(table.number, values)]


def _best(runs: list[model.Run], arguments: argparse.Namespace) -> int:
    """Runs and arms in the order of a metric; what has no place in it is said."""
    runs, _ = kept.as_columns(runs)
    metric = arguments.best
    ranking = results.rank(runs, metric, lower_is_better=arguments.lower_is_better)
    if arguments.csv:
        ordered = [one.run for one in ranking.runs] + [run for run, _ in ranking.left_out]
        return _csv(ordered, arguments.csv)
    if arguments.json:
        output.document(files.strict(_ranking(ranking, arguments)))
        return 0
    head = ("rank", metric, "arm", "number", "seed", "run")
    table.show(head, map(_of_run, ranking.runs), numbers=tuple({*head} - {"arm"}))
    print()
    head = ("arm", "runs", f"mean {metric}", "best", "run", "left out")
    table.show(head, map(_of_arm, ranking.arms), numbers=head[1:])
    for changed in imported.changes(runs):
        output.say(changed)
    if ranking.left_out:
        reasons = Counter(why for _, why in ranking.left_out)
        counted = ", ".join(f"{count} {why}" for why, count in reasons.items())
        output.say(f"left out of the order, {len(ranking.left_out)}: {counted}")
    return 0


def _of_run(one: results.Ranked) -> list[str]:
    run = one.run
    ids = map(str, (run.number, run.seed, run.id))
    return [str(one.rank), table.number(one.value), run.arm.name, *ids]


def _of_arm(arm: results.ArmRank) -> list[str]:
    values = map(table.number, (arm.mean, arm.best.value))
    return [arm.arm, str(arm.runs), *values, str(arm.best.run.id), str(arm.left_out)]


def _ranking(ranking: results.Ranking, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "metric": arguments.best,
        "lower_is_better": arguments.lower_is_better,
        "runs": [
            {"rank": one.rank, "value": one.value, **reports.of_run(one.run).to_json()}
            for one in ranking.runs
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
            for arm in ranking.arms
        ],
        "left_out": [{"run": run.id, "why": why} for run, why in ranking.left_out],
    }


def _csv(runs: list[model.Run], name: str) -> int:
    """The table as CSV, to a new file, or for `-` to stdout.

    Raises:
        UsageError: there is such a file, or none can be made.
    """
    import csv

    rows = results.columns(runs)
    if name == "-":
        csv.writer(sys.stdout).writerows(rows)
        return 0
    try:
        with open(name, "x", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    except FileExistsError as error:
        message = f"{name} is there already\nanother name, or remove it first"
        raise UsageError(message) from error
    except OSError as error:
        raise UsageError(f"--csv {name}: {error.strerror}") from error
    output.say(f"{len(runs)} runs: {name}")
    return 0
