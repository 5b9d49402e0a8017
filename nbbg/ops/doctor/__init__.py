"""`nbbg doctor`: what would end or harm the runs here, and the line that mends it.

Each check is a small function that looks at one thing and changes nothing; `CHECKS` is the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.errors import NbbgError
from nbbg.ops.doctor import machine, places, programs, records, work
from nbbg.ops.doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding
from nbbg.ops.doctor.patient import Patient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbbg.ops.doctor.finding import Check

__all__ = ["CHECKS", "NOTE", "OK", "PROBLEM", "WARNING", "Finding", "Patient", "examine"]

CHECKS: dict[str, Check] = {
    "store": places.store,
    "network": places.network,
    "home": places.home,
    "locks": places.locks_and_links,
    "index": places.index,
    "disk": places.disk,
    "files": places.inodes,
    "temporary": places.temporary,
    "logout": machine.logout,
    "init": machine.init,
    "limits": machine.limits,
    "memory": machine.memory,
    "clock": machine.clock,
    "settings": work.settings,
    "interpreter": work.interpreters,
    "kernels": work.kernels,
    "gpu": programs.gpu,
    "programs": programs.others,
    "environments": programs.environments,
    "records": records.readable,
    "supervisors": records.supervisors,
    "at boot": records.at_boot,
}


def examine(patient: Patient, checks: Iterable[str] = CHECKS) -> Iterator[Finding]:
    """What the checks find, in their order; one that can't be made is a warning."""
    for name in checks:
        try:
            found = list(CHECKS[name](patient))
        except (NbbgError, OSError, ValueError) as error:
            if str(error) == patient.refused:  # which the check of the store tells
                continue
            said = error.strerror if isinstance(error, OSError) else None
            why, _, mend = (said or str(error)).partition("\n")
            found = [Finding(WARNING, f"could not be looked at: {why}", mend)]
        for each in found:
            yield each.of(name)
