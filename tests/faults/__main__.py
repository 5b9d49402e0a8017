"""Faults for as long as one likes; the exit code is 1 where an invariant was violated.

`scripts/torture` does all set-up first.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tests.faults import report
from tests.faults.rounds import ENGINES, EXECUTORS, Round

SECONDS = 25.0  # of faults in a round
MEAN = 0.06  # seconds between two faults of a round


@dataclass
class Tally:
    """What all rounds together have done and seen."""

    seed: int
    began: float = field(default_factory=time.time)
    done: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    runs: int = 0
    looks: int = 0
    violations: list[str] = field(default_factory=list)


def main() -> int:
    """Torture, show the table; 1 where anything was violated."""
    chosen = _arguments()
    tally = Tally(chosen.seed)
    until = time.monotonic() + 60 * chosen.minutes
    lock = threading.Lock()
    shown = "{desc} {elapsed}, {n_fmt} faults, {rate_fmt}{postfix}"
    bar: tqdm[Any]
    with tqdm(bar_format=shown, unit="", desc=f"seed {chosen.seed}", mininterval=1) as bar:

        def work(first: int) -> None:
            number = first
            while time.monotonic() < until:
                _round(number, min(SECONDS, max(3.0, until - time.monotonic())), tally, lock, bar)
                number += chosen.workers

        numbers = range(chosen.first, chosen.first + chosen.workers)
        with ThreadPoolExecutor(chosen.workers) as pool:
            list(pool.map(work, numbers))
    text = report.table(tally)
    sys.stdout.write(f"{text}\n")
    sys.stderr.writelines(f"{sentence}\n" for sentence in tally.violations)
    if chosen.report:
        report.put(chosen.report, report.section(tally))
    return 1 if tally.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="faults for so long (1)")
    parser.add_argument("--seed", type=int, default=1, help="of the schedules (1)")
    parser.add_argument("--round", type=int, default=0, dest="first", help="the first round (0)")
    parser.add_argument("--workers", type=int, default=2, help="projects at once (2)")
    parser.add_argument("--report", type=Path, help="a page whose figures are written anew")
    return parser.parse_args()


def _round(number: int, seconds: float, tally: Tally, lock: threading.Lock, bar: tqdm[Any]) -> None:
    engine, executor = ENGINES[number % 2], EXECUTORS[number // 2 % 2]
    made = Round(f"{tally.seed} {number}", engine, executor, jobs=4)
    counted = 0

    def count() -> None:
        nonlocal counted
        found = made.done.total()
        with lock:
            bar.update(found - counted)
            bar.set_postfix_str(f"{tally.rounds} rounds, {len(tally.violations)} violations")
        counted = found

    try:
        made.torture(seconds, MEAN, count)
        made.finish()
    except Exception as error:  # noqa: BLE001 - a harness that breaks has shown nothing
        made.checker.blame(f"the harness: {error!r}")
    count()
    executed = made.executed
    violated = made.checker.violations
    made.close(keep=bool(violated))
    where = f"--seed {tally.seed} --round {number} ({engine}, {executor}); kept: {made.home}"
    with lock:
        tally.rounds += 1
        tally.done.update(made.done)
        tally.runs += executed
        tally.looks += made.checker.looks
        tally.violations += [f"{sentence}\n    {where}" for sentence in violated]
        for sentence in violated:
            bar.write(f"{sentence}\n    {where}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
