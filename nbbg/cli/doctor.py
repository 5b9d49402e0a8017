"""`nbbg doctor`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nbbg.classes import asdict
from nbbg.cli import output
from nbbg.ops import doctor, gather
from nbbg.ops.doctor import patient
from nbbg.ops.doctor.finding import LEVELS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbbg.ops.doctor.finding import Finding

WIDTH = 13  # of a check's name, and of its level


def command(arguments: argparse.Namespace) -> int:
    """Say what would end or harm the runs here; 1 where anything would."""
    named = gather.notebooks(arguments.notebooks) if arguments.notebooks else []
    found = list(doctor.examine(patient.here(named)))
    harm = any(each.level == doctor.PROBLEM for each in found)
    if arguments.json:
        output.document({"ok": not harm, "checks": [asdict(each) for each in found]})
    else:
        _tell(found)
    return 1 if harm else 0


def _tell(found: Sequence[Finding]) -> None:
    """The worst last, next to where the next line is typed."""
    for each in sorted(found, key=lambda finding: LEVELS.index(finding.level)):
        print(f"{each.level:<9}{each.check:<{WIDTH}} {each.what}")
        if each.mend:
            print(f"{'':<{9 + WIDTH}} {each.mend}")
    counts = Counter(each.level for each in found)
    worst = [
        f"{counts[level]} {level}{'s' * (counts[level] > 1)}"
        for level in LEVELS[:1:-1]
        if counts[level]
    ]
    print(", ".join(worst) or "nothing here would end or harm your runs")
