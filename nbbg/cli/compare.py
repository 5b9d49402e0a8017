"""`nbbg compare`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nbbg import files
from nbbg.classes import asdict
from nbbg.cli import output, plotting, reading, table
from nbbg.errors import UsageError
from nbbg.results import asking, strips

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from nbbg.results.comparison import Comparison, Interval, Pair, Summary

_ARMS = ("arm", "n", "left out", "mean", "IQM", "median", "SD", "min", "max", "5-95 %")
_PAIRS = ("ahead", "behind", "n", "{} by", "95 %", "p", "p Holm", "improves", "effect")
_PAIRS_SHOWN = 20
_STRIPS = 30  # arms that are drawn
_WIDEST = 100  # characters of the picture


def command(arguments: argparse.Namespace) -> int:
    """Arms side by side, their differences, and the verdict."""
    path = plotting.check(arguments.plot) if arguments.plot else None
    where = reading.here()
    found = asking.in_project(
        where,
        arguments.ids,
        arguments.metric,
        lower_is_better=arguments.lower_is_better,
        baseline=arguments.baseline or "",
        reduce=_reduction(arguments),
        curves=path is not None,
        by=arguments.by,
    )
    if path:
        plotting.plot(where.store, found, path)
    if arguments.json:
        output.document(files.strict(document(found)))
        return 0
    _show_arms(found.summaries)
    if found.pairs:
        print()
        _show_pairs(found)
    _show_strips(found)
    print()
    for sentence in found.verdict:
        print(sentence)
    for note in found.notes:
        output.say(note)
    return 0


def _reduction(arguments: argparse.Namespace) -> str:
    if arguments.last is None:
        return str(arguments.reduce or "last")
    if arguments.reduce:
        raise UsageError(f"--last {arguments.last} is --reduce mean:{arguments.last}: give one")
    return f"mean:{arguments.last}"


def _show_arms(summaries: Mapping[str, Summary]) -> None:
    has_bootstrap = any(each.mean_interval for each in summaries.values())
    head = (*_ARMS, "95 % of the mean") if has_bootstrap else _ARMS
    table.show(head, [_of_arm(each)[: len(head)] for each in summaries.values()], numbers=head[1:])


def _of_arm(one: Summary) -> list[str]:
    values = (one.mean, one.iqm, one.median, one.sd, one.low, one.high)
    counts = [str(one.n), str(one.failures)]
    ranges = [_range(one.range90), _range(one.mean_interval)]
    return [one.arm, *counts, *map(_number, values), *ranges]


def _show_strips(found: Comparison) -> None:
    """Every seed as a mark, on an axis that all arms share."""
    values = {sample.arm: sample.values.values() for sample in found.samples[:_STRIPS]}
    wide = strips.is_unicode(sys.stdout.encoding)
    lines = strips.strip_plot(values, min(table.width(), _WIDEST), unicode=wide)
    if lines:
        print("\n" + "\n".join(lines))


def _show_pairs(found: Comparison) -> None:
    """The pairs, those that are decided first where there are many."""
    pairs = sorted(found.pairs, key=lambda pair: not pair.decided)
    head = [word.format("lower" if found.lower_is_better else "higher") for word in _PAIRS]
    table.show(head, map(_of_pair, pairs[:_PAIRS_SHOWN]), numbers=head[2:])
    if pairs[_PAIRS_SHOWN:]:
        output.say(f"and {len(pairs) - _PAIRS_SHOWN} pairs more: --json")


def _of_pair(pair: Pair) -> list[str]:
    share = "" if pair.improvement is None else f"{100 * pair.improvement:.0f} %"
    between = pair.improvement_interval
    if between:
        share += f" [{100 * between.low:.0f}, {100 * between.high:.0f}]"
    n = f"{pair.n}" if pair.paired else f"{pair.n} (Welch)"
    numbers = [_number(pair.p), _number(pair.p_holm), share, _number(pair.effect)]
    difference = _number(pair.difference)
    return [pair.better, pair.worse, n, difference, _range(pair.interval), *numbers]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value + 0.0:.4g}"


def _range(interval: Interval | None) -> str:
    return f"{interval.low:.4g} .. {interval.high:.4g}" if interval else "-"


def document(found: Comparison) -> dict[str, Any]:
    """All figures as JSON; values and runs by seed."""
    return {
        "metric": found.metric,
        "lower_is_better": found.lower_is_better,
        "baseline": found.baseline or None,
        "winner": found.winner or None,
        "verdict": list(found.verdict),
        "notes": list(found.notes),
        "arms": [
            {
                **asdict(found.summaries[sample.arm]),
                "values": {str(seed): value for seed, value in sample.values.items()},
                "runs": {str(seed): run for seed, run in sample.runs.items()},
                "left_out": [asdict(each) for each in sample.left_out],
                "machines": list(sample.machines),
                "sources": list(sample.sources),
            }
            for sample in found.samples
        ],
        "pairs": [asdict(pair) for pair in found.pairs],
    }
