"""The sentences of a comparison: who has won, what can't be told, and what does not count.

Nothing is said that the figures do not bear out: a winner needs the corrected p-value and the
interval; without one, it is said how many seeds would show such a difference.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from nbbg.classes import dataclass
from nbbg.results import wording
from nbbg.results.statistics import ALPHA, effects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg.results.comparison import Pair, Summary
    from nbbg.results.samples import Sample

TO_COME = ("queued", "submitted", "running")  # states of runs that may count yet
_STATES = ("failed", "exited", "killed", "timed out", "stopped", "lost")
_LOSSES = ("loss", "error", "mse", "mae", "rmse", "perplexity")  # words in names of metrics
_TWO = 2
_A_TIME = re.compile(r"(?i)time|second|duration|latency|speed|throughput|per_s|_m?s$|fps")


@dataclass(frozen=True)
class About:
    """What the sentences are about."""

    metric: str
    lower_is_better: bool
    baseline: str
    samples: Sequence[Sample]  # best first
    pairs: Sequence[Pair]
    winner: str

    @property
    def known(self) -> list[Sample]:
        """The arms that have values."""
        return [sample for sample in self.samples if sample.values]

    @property
    def tested(self) -> int:
        """The pairs that have a p-value."""
        return sum(pair.p is not None for pair in self.pairs)


def sentences(about: About, summaries: Mapping[str, Summary]) -> list[str]:
    """The verdict: which is better, and which is steadier."""
    if len(about.samples) == 1:
        arm = about.samples[0].arm
        only = f"of those asked for only {arm} has {about.metric}"
        return [f"can't compare: it takes two arms, and {only}"]
    if not about.pairs:
        return [_nothing_to_pair(about)]
    if (value := _one_value(about)) is not None:
        return [f"no difference: {about.metric} is {wording.short(value)} in every run"]
    return [*_who(about), *_steadiness(about, summaries), *_of_unknown(about)]


def _who(about: About) -> list[str]:
    if len(about.known) == _TWO:
        return [_of_two(about, about.pairs[0])]
    return _beside_baseline(about) if about.baseline else [_of_many(about)]


def _of_unknown(about: About) -> list[str]:
    """What the sentences before do not speak of: arms that may be better or worse than any."""
    arms = [sample.arm for sample in about.samples if not sample.values]
    if not arms:
        return []
    have = "has" if len(arms) == 1 else "have"
    return [
        f"nothing can be said of {wording.some(arms)}, which {have} no {about.metric} that counts"
    ]


def _nothing_to_pair(about: About) -> str:
    known = [sample.arm for sample in about.known]
    if about.baseline and about.baseline not in known:
        return f"can't tell: the baseline {about.baseline} has no {about.metric} that counts"
    only = ", ".join(known)
    said = f"can't tell: of {len(about.samples)} arms only {only}"
    return f"{said} has values of {about.metric} that count"


def _one_value(about: About) -> float | None:
    """The value of all runs, where it is one."""
    values = {value for sample in about.samples for value in sample.values.values()}
    return next(iter(values)) if len(values) == 1 else None


def _of_two(about: About, pair: Pair) -> str:
    counted = _seeds(about, pair, [text for each in about.samples for text in _left_out(each)])
    if pair.p is None or pair.interval is None:
        return f"can't tell with {_so_many(pair)}: {_difference(about, pair)} for {pair.better}"
    if pair.decided:
        return f"{_better(about, pair)} ({counted})"
    if pair.difference == 0:
        return f"no difference was seen: the mean {about.metric} of both is the same ({counted})"
    said = f"{_difference(about, pair)} for {pair.better}, {wording.p_value(pair.p)} ({counted})"
    return f"undecided: {said}; {_what_is_missing(about, pair)}"


def _better(about: About, pair: Pair) -> str:
    return f"{pair.better} is better than {pair.worse}: {_figures(about, pair)}"


def _figures(about: About, pair: Pair) -> str:
    """What bears out that one is better."""
    how_often = wording.percent(pair.improvement or 0.0)
    often = f"better on {how_often} of seeds"
    if not pair.paired:
        often = f"better in {how_often} of all pairs of runs"
    return f"{_difference(about, pair)}, {often}, {_p_of(about, pair)}"


def _p_of(about: About, pair: Pair) -> str:
    """`p = .016`, and over how many pairs it is corrected."""
    holm = f" after Holm over {about.tested} pairs" if about.tested > 1 else ""
    return f"{wording.p_value(pair.p_holm or 0.0)}{holm}"


def _difference(about: About, pair: Pair) -> str:
    """In the metric's own direction: minus where lower is better."""
    sign = -1 if about.lower_is_better else 1
    ends = None
    if pair.interval:
        ends = sorted((sign * pair.interval.low, sign * pair.interval.high))
    return f"{about.metric} {wording.difference(sign * pair.difference, ends)}"


def _seeds(about: About, pair: Pair, more: Iterable[str] = ()) -> str:
    seeds = f"{pair.n} paired seeds"
    if not pair.paired:
        counts = {sample.arm: len(sample.values) for sample in about.samples}
        seeds = f"{counts[pair.better]} and {counts[pair.worse]} seeds, not paired"
    return ", ".join([seeds, *more])


def _so_many(pair: Pair) -> str:
    seeds = "seed" if pair.n == 1 else "seeds"
    return f"{pair.n} {'paired ' if pair.paired else ''}{seeds}"


def _what_is_missing(about: About, pair: Pair) -> str:
    """Why it is not decided, and how many seeds would decide it."""
    parts = []
    if pair.needed is None:
        parts.append(
            f"more than {effects.MOST} seeds would be needed to show so small a difference"
        )
    else:
        each = "" if pair.paired else " of each"
        parts.append(f"about {pair.needed} seeds{each} would be needed to show such a difference")
    leaves_out_zero = pair.interval is not None and pair.interval.low > 0
    if not pair.reachable:
        although = ", although the interval leaves out 0" if leaves_out_zero else ""
        over = f" seeds and {about.tested} pairs" if about.tested > 1 else ""
        parts.append(f"with {pair.n}{over} no test can decide{although}")
    elif leaves_out_zero:
        parts.append(f"the interval leaves out 0, but the p-value is not under {ALPHA:g}")
    elif (pair.p_holm or 0) <= ALPHA:
        parts.append(f"the p-value is under {ALPHA:g}, but the interval holds 0")
    return "; ".join(parts)


def _of_many(about: About) -> str:
    others = len(about.known) - 1
    if about.winner:
        mine = [pair for pair in about.pairs if pair.better == about.winner]
        least = max(mine, key=lambda pair: (pair.p_holm or 0, -pair.difference))
        all_others = f"{about.winner} is better than each of the {others} others"
        figures = f"{_figures(about, least)} ({_seeds(about, least)})"
        return f"{all_others}; least surely than {least.worse}: {figures}"
    beaten = {pair.worse for pair in about.pairs if pair.decided}
    best = [sample.arm for sample in about.known if sample.arm not in beaten]
    worse = [sample.arm for sample in about.known if sample.arm in beaten]
    if not worse:
        said = f"undecided: none of the {others + 1} arms is shown to be better than another"
    else:
        are = "is" if len(worse) == 1 else "are each"
        said = f"undecided: the best can't be told apart: {', '.join(best)}; "
        said += f"{', '.join(worse)} {are} worse than at least one arm"
    return f"{said}{_of_the_first(about, best)}"


def _of_the_first(about: About, best: Sequence[str]) -> str:
    """How far apart the first two of the best are."""
    for pair in about.pairs:
        if {pair.better, pair.worse} == {*best[:2]} and pair.p_holm is not None:
            said = f"{pair.better} against {pair.worse}: {_difference(about, pair)}"
            said += f" for {pair.better}, {_p_of(about, pair)}"
            return f"; {said} ({_seeds(about, pair)}); {_what_is_missing(about, pair)}"
    return ""


def _beside_baseline(about: About) -> list[str]:
    found = [
        f"{_better(about, pair)} ({_seeds(about, pair)})" for pair in about.pairs if pair.decided
    ]
    left = [pair for pair in about.pairs if not pair.decided]
    for pair in left:
        arm = pair.worse if pair.better == about.baseline else pair.better
        if pair.p_holm is None:
            found.append(f"can't tell {arm} from {about.baseline} with {_so_many(pair)}")
            continue
        said = f"{_difference(about, pair)} for {pair.better}, {_p_of(about, pair)}"
        what = f"undecided: {arm} against {about.baseline}: {said} ({_seeds(about, pair)})"
        found.append(f"{what}; {_what_is_missing(about, pair)}")
    return found


def _steadiness(about: About, summaries: Mapping[str, Summary]) -> list[str]:
    claimed = [pair for pair in about.pairs if pair.steadier]
    known = [pair for pair in about.pairs if pair.p_spread is not None]
    found = []
    for pair in claimed:
        other = pair.worse if pair.steadier == pair.better else pair.better
        sds = [wording.short(summaries[arm].sd or 0.0) for arm in (pair.steadier, other)]
        holm = f"; so too after Holm over {len(known)} pairs" if len(known) > 1 else ""
        p = f"{wording.p_value(pair.p_spread or 0.0)} (Brown-Forsythe{holm})"
        found.append(f"{pair.steadier} is steadier than {other}: SD {sds[0]} against {sds[1]}, {p}")
    if claimed:
        return found
    if len(about.pairs) == 1 and known:
        sds = [wording.short(summaries[each.arm].sd or 0.0) for each in about.known]
        p = wording.p_value(known[0].p_spread or 0.0)
        return [f"neither is shown to be steadier: SD {sds[0]} and {sds[1]}, {p} (Brown-Forsythe)"]
    return ["no arm is shown to be steadier than another (Brown-Forsythe)"] if known else []


def notes(about: About, summaries: Mapping[str, Summary]) -> list[str]:
    """What a reader must know beside the verdict."""
    return [
        *_of_direction(about),
        *(_of_left_out(about) if len(about.known) != _TWO or not about.pairs else []),
        *_of_runs_to_come(about),
        *_of_pairing(about),
        *_of_constants(about, summaries),
        *_of_versions(about),
        *_of_machines(about),
    ]


def _left_out(sample: Sample) -> list[str]:
    """`1 resnet run failed`, `2 vit runs: accuracy is NaN`."""
    counted = Counter(each.why for each in sample.left_out if each.why not in TO_COME)
    return [
        f"{count} {sample.arm} {'run' if count == 1 else 'runs'}{_reason(why)}"
        for why, count in counted.items()
    ]


def _reason(why: str) -> str:
    return f" {why}" if why in _STATES else f": {why}"


def _of_left_out(about: About) -> list[str]:
    said = [text for sample in about.samples for text in _left_out(sample)]
    return [f"not counted: {', '.join(said)}"] if said else []


def _of_runs_to_come(about: About) -> list[str]:
    counts = Counter(
        sample.arm for sample in about.samples for each in sample.left_out if each.why in TO_COME
    )
    said = ", ".join(f"{count} of {arm}" for arm, count in counts.items())
    if not said:
        return []
    often = "a verdict that is looked at again and again errs more often"
    return [f"runs that have not ended yet: {said}; {often}"]


def _of_direction(about: About) -> list[str]:
    words = about.metric.lower().replace("-", "_").replace("/", "_").replace(".", "_").split("_")
    if about.lower_is_better or not {*words} & {*_LOSSES}:
        return []
    return [f"a higher {about.metric} counts as better; if it is not: --lower-is-better"]


def _of_pairing(about: About) -> list[str]:
    with_values = [sample for sample in about.samples if sample.values]
    found = []
    if any(pair.paired for pair in about.pairs):
        every = {seed for sample in with_values for seed in sample.values}
        lone = sorted(s for s in every if any(s not in each.values for each in with_values))
        if lone:
            found.append(f"{_of_lone(len(with_values))}: {wording.some(lone)}")
    apart = [pair for pair in about.pairs if not pair.paired]
    if apart:
        said = wording.some([f"{pair.better} and {pair.worse}" for pair in apart], "; ")
        found.append(f"seeds do not pair, so Welch's test and its permutation: {said}")
    return found


def _of_lone(arms: int) -> str:
    """What seeds count for that not every arm has."""
    if arms == _TWO:
        return "seeds that one arm lacks count in the figures of the other, not in the difference"
    return "seeds that some arms lack count in pairs of those that have them"


def _of_constants(about: About, summaries: Mapping[str, Summary]) -> list[str]:
    same = [arm for arm, each in summaries.items() if each.n >= _TWO and each.low == each.high]
    if not same:
        return []
    return [f"{about.metric} is the same in every run of {wording.some(same)}: is the seed used?"]


def _of_versions(about: About) -> list[str]:
    return [
        f"{sample.arm}: its runs executed {len(sample.sources)} versions of the code"
        for sample in about.samples
        if len(sample.sources) > 1
    ]


def _of_machines(about: About) -> list[str]:
    """That a time tells of machines too, where not all arms ran on the same ones."""
    of_arm = {each.arm: wording.some(each.machines, " and ") for each in about.known}
    if len({*of_arm.values()}) < _TWO or not _A_TIME.search(about.metric):
        return []
    said = wording.some((f"{arm} on {where}" for arm, where in of_arm.items()), "; ")
    return [f"{about.metric} may tell of the machines: {said}; apart: --by machine"]
