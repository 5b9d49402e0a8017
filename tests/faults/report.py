"""The figures of a torture, as a table for a person and for docs/reliability.md."""

from __future__ import annotations

import os
import platform
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import nbbg

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.__main__ import Tally

BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"
SIGNALS = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGSTOP")


def table(tally: Tally) -> str:
    """Faults by victim and signal, then those of other kinds, then what was violated."""
    by_victim: dict[str, Counter[str]] = {}
    others: Counter[str] = Counter()
    for kind, count in tally.done.items():
        number, _, victim = kind.partition(" ")
        if number in SIGNALS:
            by_victim.setdefault(victim, Counter())[number] += count
        else:
            others[kind] += count
    heads = (*SIGNALS[:-1], "SIGSTOP, SIGCONT")
    lines = [f"| fault for | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    lines += [
        f"| {victim} | {' | '.join(str(found[name]) for name in SIGNALS)} |"
        for victim, found in sorted(by_victim.items())
    ]
    lines += ["", "| other fault | times |", "|---|---:|"]
    lines += [f"| {kind} | {count} |" for kind, count in sorted(others.items())]
    lines += ["", _summary(tally)]
    return "\n".join(lines)


def section(tally: Tally) -> str:
    """The same with where it was measured."""
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(tally.began))
    minutes = (time.time() - tally.began) / 60
    cpus = len(os.sched_getaffinity(0))
    where = f"{cpus} CPUs, {platform.system()}, Python {platform.python_version()}"
    head = f"`scripts/torture --seed {tally.seed}`, {minutes:.1f} minutes on {date}; nbbg"
    return f"{head} {nbbg.__version__}, {where}.\n\n{table(tally)}"


def put(page: Path, text: str) -> None:
    """Write the figures between the markers of a page.

    Raises:
        ValueError: it has none.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    before = page.read_text()
    if not pattern.search(before):
        raise ValueError(f"{page}: there is no {BEGIN} ... {END}")
    page.write_text(pattern.sub(lambda _: f"{BEGIN}\n{text}\n{END}", before))


def _summary(tally: Tally) -> str:
    found = Counter(sentence.partition("\n")[0] for sentence in tally.violations)
    faults = tally.done.total()
    minutes = (time.time() - tally.began) / 60
    return (
        f"**{faults} faults** ({faults / minutes:.0f} a minute) in {tally.rounds} rounds,"
        f" {tally.runs} attempts at runs, {tally.looks} looks at all invariants:"
        f" **{found.total()} violated**."
    )
