"""Measures, and writes `docs/benchmarks.md` with its pictures: `scripts/bench --help`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from bench import kept, machine, measure, page, peers, place, questions
from bench.bench import Bench

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Measure what was asked for, write the page, and leave nothing else behind."""
    asked = _arguments()
    figures = asked.out / page.PICTURES / page.FIGURES
    found = kept.load(figures)
    if not asked.page:
        if not (asked.only or asked.go_on):
            found = kept.Kept(figures)
        _measure(found, asked)
    print(page.write(found, asked.out))


def _measure(found: kept.Kept, asked: argparse.Namespace) -> None:
    began, there = time.monotonic(), peers.Peers(peers.cache())
    print(f"peers: {there.folder}", file=sys.stderr)
    there.install(list(peers.PACKAGES))
    there.install_torch(asked.torch)
    top = Path(tempfile.mkdtemp(prefix="nbbg-bench-"))
    found.machine = machine.described(top)
    if asked.quick:
        found.machine["sizes"] = "a tenth and less of what the page says (--quick)"
    found.versions = machine.versions() | there.versions
    found.missing = dict(there.missing)
    bench = Bench(top, found, there, asked.rounds, asked.quick)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    try:
        for name in asked.only or questions.ALL:
            if not asked.go_on:
                _forget(found, name)
            _ask(bench, name)
    finally:
        found.seconds += time.monotonic() - began
        found.save()
        place.remove(top)


def _ask(bench: Bench, name: str) -> None:
    """Take a question's tables; what fails is said on the page and does not end the rest."""
    try:
        questions.ALL[name].measure(bench)
    except Exception as error:  # noqa: BLE001 - hours of figures must not depend on one of them
        traceback.print_exc()
        bench.kept.missing[name] = peers.why(error)
    bench.kept.save()


def _forget(found: kept.Kept, name: str) -> None:
    """Drop what an earlier run found for a question."""
    for table in [key for key in found.tables if key.partition("/")[0] == name]:
        del found.tables[table]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures nbbg beside its peers, and writes docs/benchmarks.md.",
        epilog=f"The peers' environments lie in {peers.cache()}; $NBBG_BENCH_CACHE moves them.",
    )
    add = parser.add_argument
    add("--rounds", type=int, help=f"rounds of each table (default {measure.ROUNDS})")
    add("--quick", action="store_true", help=f"{measure.QUICK} rounds, small sizes: to try it out")
    add(
        "--only",
        action="append",
        choices=list(questions.ALL),
        metavar="NAME",
        help=f"one question, again, beside what is there: {', '.join(questions.ALL)}",
    )
    add("--go-on", action="store_true", help="take what a run that was cut off still lacks")
    add("--page", action="store_true", help="measure nothing, write the page anew")
    add("--torch", default="", metavar="PACKAGE", help="install torch for its rows (`torch`)")
    add("--out", type=Path, default=DOCS, help="where the page goes (default docs)")
    asked = parser.parse_args()
    asked.rounds = asked.rounds or (measure.QUICK if asked.quick else measure.ROUNDS)
    return asked


if __name__ == "__main__":
    main()
