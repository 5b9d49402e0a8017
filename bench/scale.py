"""How the cost of a plan grows with its length. `python -m bench.scale` writes
`docs/bench-scale.md`.

Runs that wait come from a real launch whose supervisor starts some of them; finished ones are
copies of one that was carried out.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import place
from bench.measure import table
from nbbg import paths, process
from nbbg.store import batches

if TYPE_CHECKING:
    from bench.place import Place

PAGE = Path(__file__).parents[1] / "docs" / "bench-scale.md"
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 5
WARM, COUNTED = 3, 10  # runs that a supervisor starts before, and while, its CPU time is taken
_TEXT = """# Long plans

Written by `python -m bench.scale` on {date}, on {cpus} CPUs (load: {load:.1f}), in {minutes:.1f}
minutes. Times are in ms, of whole commands with the start of Python ({nothing:.0f} ms); the median
of {rounds} where something can be repeated. The first reading is a `nbbg status` without an index.
Memory is the largest resident size, in MB. *No events*: the file of hints is gone, and the first
reading looks into every folder.

## Runs that wait: `nbbg run train.ipynb --runs N`, one arm

{queued}

*A decision* is the CPU time of the supervisor for each run that it starts, the start of the
runner's process and the look at its end included.

## Runs that have finished

{finished}
"""


def main() -> None:
    """Measure, write the page, and leave nothing behind."""
    began, load = time.time(), os.getloadavg()[0]
    top = Path(tempfile.mkdtemp(prefix="nbbg-bench-"))
    try:
        where = place.make(top / "nothing" / "project")
        page = _TEXT.format(
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            cpus=len(os.sched_getaffinity(0)),
            load=load,
            rounds=ROUNDS,
            nothing=_median(where, sys.executable, "-c", "pass"),
            queued=_queued(top),
            finished=_finished(top),
            minutes=(time.time() - began) / 60,
        )
    finally:
        place.remove(top)
    PAGE.write_text(page)
    print(page)


def _queued(top: Path) -> str:
    head = ("runs", "launch", "MB", "first reading", "status", "show", "stop", "resume")
    more = ("a decision", "supervisor, MB")
    return table((*head, *more), [_of_queued(top, size) for size in SIZES])


def _of_queued(top: Path, size: int) -> tuple[str, ...]:
    where = place.make(top / f"queued-{size}" / "project")
    where.write("train", "print('accuracy', 0.97)")
    launch = timed(where, place.NBBG, "run", "train.ipynb", "--runs", str(size))
    decision, memory = _decisions(where)
    stop, _ = timed(where, place.NBBG, "stop", "b1")
    resume, _ = timed(where, place.NBBG, "resume", "b1")
    where.call(place.NBBG, "stop", "b1")
    (where.root / paths.STORE / paths.INDEX).unlink()
    first, _ = timed(where, place.NBBG, "status")
    return (
        *(f"{size:,}", f"{launch[0]:.0f}", f"{launch[1]:.0f}", f"{first:.0f}"),
        f"{_median(where, place.NBBG, 'status'):.0f}",
        f"{_median(where, place.NBBG, 'show', str(size // 2)):.0f}",
        *(f"{stop:.0f}", f"{resume:.0f}", f"{decision:.1f}", memory),
    )


def _decisions(where: Place) -> tuple[float, str]:
    """CPU ms of the supervisor for each run that it starts, and its resident size."""
    folder = where.root / paths.STORE / paths.BATCHES / "1"
    place.until(lambda: _started(folder) >= WARM)
    pid = batches.supervisor_pid(folder) or 0
    began, used = _started(folder), place.cpu_ms(pid)
    place.until(lambda: _started(folder) >= began + COUNTED)
    each = (place.cpu_ms(pid) - used) / (_started(folder) - began)
    return each, place.memory(pid)[0]


def _started(batch: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return (batch / paths.EVENTS).read_bytes().count(b'"starting"')
    return 0


def _finished(top: Path) -> str:
    head = ("runs", "first reading", "MB", "no events", "status", "show", "supervisor, start")
    return table((*head, "MB"), [_of_finished(top, size) for size in SIZES])


def _of_finished(top: Path, size: int) -> tuple[str, ...]:
    where = place.make(top / f"finished-{size}" / "project")
    where.write("train", "print('accuracy', 0.97)")
    folder = where.batch("train", size)
    place.finish(folder, size)
    index, events = where.root / paths.STORE / paths.INDEX, folder / paths.EVENTS
    first, memory = timed(where, place.NBBG, "status")
    supervisor = timed(where, *process.own_program("nbbg.supervisor", str(folder)))
    status = _median(where, place.NBBG, "status")
    show = _median(where, place.NBBG, "show", str(size // 2))
    index.unlink()
    events.unlink()
    facts, _ = timed(where, place.NBBG, "status")
    return (
        *(f"{size:,}", f"{first:.0f}", f"{memory:.0f}", f"{facts:.0f}"),
        *(f"{status:.0f}", f"{show:.0f}", f"{supervisor[0]:.0f}", f"{supervisor[1]:.0f}"),
    )


def _median(where: Place, *argv: str | Path) -> float:
    return statistics.median(timed(where, *argv)[0] for _ in range(ROUNDS))


def timed(where: Place, *argv: str | Path) -> tuple[float, float]:
    """A command to its end: ms, and MB of its largest resident size."""
    measured = ("/usr/bin/env", sys.executable, "-c", _MEASURE, *argv)
    said = where.call(*measured).split()
    return float(said[-2]), float(said[-1])


_MEASURE = """
import os, sys, time
began = time.perf_counter()
quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, used = os.wait4(pid, 0)
print(1000 * (time.perf_counter() - began), used.ru_maxrss / 1024)
sys.exit(status != 0)
"""


if __name__ == "__main__":
    main()
