"""What waits takes: supervisor and runner while runs are alive, and the memory of 20 at once."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from bench import peers, place, tables
from bench.measure import MEGABYTES, Case
from bench.pictures import Line, bars, lines
from bench.questions.loops import LEARN, TORCH
from nbbg import paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures, Middle
    from bench.pictures import Drawing

TITLE = "Many runs alive"
ALIVE = (1, 20, 100, 200)
CALM = 5.0  # seconds over which the CPU time of waiting is counted, in each round
AT_ONCE, FEW = 20, 3  # runs whose memory is taken together, and how often
SUPERVISOR, RUNNER = "supervisor", "a runner"
RSS, PSS, SHARE = "rss", "pss", "share"
KEY, ALL = "alive/resting", "all"
HELD, TORCHED = "alive/held", "alive/held-torch"
COLD, WARM = "nbbg, cold", "nbbg, warm"
_SLEEP = "import time\nprint('there')\ntime.sleep(3600)"
_TEXT = """\
The notebook sleeps, and all batches are there at once. Figures are from `smaps_rollup` and
`schedstat` in `/proc/PID`, CPU over {calm:.0f} seconds a round.

![What does nbbg take while runs are alive?](benchmarks/alive.svg)

{rows}

{how}

### Memory of {count} runs at once

MB of all processes together (proportional set size), runners, supervisor and template included.

![How much memory do {count} runs at once hold?](benchmarks/memory.svg)

They have imported pandas and scikit-learn:

{held}

They have imported torch:

{torch}
"""


def row(who: str, count: int) -> str:
    """The beginning of the names of its figures."""
    return f"{who}/{count}"


def measure(bench: Bench) -> None:
    """Batches of sleeping runs beside each other; then the memory of 20."""
    if not bench.is_done(KEY):
        top = bench.top / "alive"
        sizes = ALIVE[: bench.sized(len(ALIVE), 2)]
        places = {count: _asleep(top / str(count), count, (), []) for count in sizes}
        bench.take(KEY, _resting(places), trial=False)
        place.remove(top)
    for name, sources, python in (
        (HELD, LEARN, sys.executable),
        (TORCHED, TORCH, bench.peers.program(peers.TORCH)),
    ):
        missing = name == TORCHED and not bench.peers.has(peers.TORCH)
        if not missing and not bench.is_done(name, FEW):
            bench.take(name, _held(bench, name, sources, python), FEW, trial=False)


def _asleep(
    root: Path, count: int, options: Sequence[str], sources: Sequence[str], **more: str
) -> place.Place:
    """A project with so many runs that have done their work and sleep."""
    where = place.make(root, **more)
    where.write("it", *sources, _SLEEP)
    many = ("--runs", str(count), "--jobs", str(count))
    where.call(place.NBBG, "run", "it.ipynb", *many, *options)
    logs = where.root / paths.STORE / paths.BATCHES / "1" / paths.RUNS

    def are_there() -> bool:
        found = logs.glob(f"*/1/{paths.LOG}")
        return sum(b"there" in log.read_bytes() for log in found) == count

    place.until(are_there, nap=0.5, most=300)
    time.sleep(1)
    return where


def _resting(places: Mapping[int, place.Place]) -> dict[str, Case]:
    """One case for all, since they are watched through the same seconds."""
    told = {count: where.status() for count, where in places.items()}
    pids = {who: _pids(told, who) for who in (SUPERVISOR, RUNNER)}

    def go() -> Figures:
        watched = {row(who, n): pid for who, found in pids.items() for n, pid in found.items()}
        before = {name: place.cpu_ms(pid) for name, pid in watched.items()}
        time.sleep(CALM)
        figures = {}
        for name, pid in watched.items():
            # Per cent of a core.
            figures[f"{name}/{SHARE}"] = (place.cpu_ms(pid) - before[name]) / CALM / 10
            figures[f"{name}/{RSS}"], figures[f"{name}/{PSS}"] = place.memory(pid)
        return figures

    return {ALL: Case(go)}


def _pids(told: Mapping[int, Any], who: str) -> dict[int, int]:
    if who == SUPERVISOR:
        return {count: each["batches"][0]["supervisor_pid"] for count, each in told.items()}
    return {count: each["runs"][0]["runner_pid"] for count, each in told.items()}


def _held(bench: Bench, name: str, sources: Sequence[str], python: str) -> dict[str, Case]:
    def case(warm: str) -> Case:
        def go() -> Figures:
            root = bench.top / name.replace("/", "-") / warm
            where = _asleep(root, AT_ONCE, ("--warm", warm), sources, python=python)
            found = {MEGABYTES: place.all_memory(root)}
            place.remove(where.root)
            return found

        return Case(go, f"nbbg run it.ipynb --runs {AT_ONCE} --jobs {AT_ONCE} --warm {warm}")

    return {COLD: case("off"), WARM: case("on")}


def tell(kept: Kept) -> str:
    """Supervisor and runner by number of runs; 20 at once."""
    head = ("", "runs alive", "resident, MB", "PSS, MB", "% of a core")
    rows = [
        (who, f"{count:,}", *(_told(kept, who, count, what) for what in (RSS, PSS, SHARE)))
        for who in (SUPERVISOR, RUNNER)
        for count in ALIVE
    ]
    return _TEXT.format(
        calm=CALM,
        rows=tables.markdown(head, rows),
        how=tables.how(kept.table(KEY)),
        count=AT_ONCE,
        held=_memory(kept, HELD),
        torch=_memory(kept, TORCHED),
    )


def _memory(kept: Kept, name: str) -> str:
    table = kept.table(name)
    if not table.rows:
        return tables.absent(kept, name)
    rows = [
        (
            which,
            tables.figure(kept, name, which, MEGABYTES),
            tables.spread(table.ratio(which, COLD, MEGABYTES), times=True),
        )
        for which in table.rows
    ]
    said = tables.markdown(("", "MB", f"times {COLD}"), rows)
    return "\n".join([said, "", tables.how(table), *tables.typed(table)])


def draw(kept: Kept) -> list[Drawing]:
    """Memory and CPU by number of runs; the memory of 20."""
    panels = {
        "proportional set size, MB": [_line(kept, who, PSS) for who in (SUPERVISOR, RUNNER)],
        "% of one core": [_line(kept, who, SHARE) for who in (SUPERVISOR, RUNNER)],
    }
    held = {"pandas and scikit-learn": kept.table(HELD), "torch": kept.table(TORCHED)}
    asked = f"How much memory do {AT_ONCE} runs at once hold?"
    return [
        lines("alive", "What does nbbg take while runs are alive?", panels, "runs alive"),
        bars("memory", asked, held, COLD, what=MEGABYTES, unit="MB of all processes"),
    ]


def _line(kept: Kept, who: str, what: str) -> Line:
    found = [(float(count), _middle(kept, who, count, what)) for count in ALIVE]
    return Line(who, [(count, middle) for count, middle in found if middle])


def _told(kept: Kept, who: str, count: int, what: str) -> str:
    return tables.spread(_middle(kept, who, count, what), times=True)


def _middle(kept: Kept, who: str, count: int, what: str) -> Middle | None:
    resting = kept.table(KEY).rows.get(ALL)
    return resting.middle(f"{row(who, count)}/{what}") if resting else None
