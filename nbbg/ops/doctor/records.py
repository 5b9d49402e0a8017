"""What the records say: whether all can be read, and whether batches wait for nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import model
from nbbg.index import Index
from nbbg.ops.doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding
from nbbg.store import batches, changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.ops.doctor.patient import Patient

_OPEN = {model.Queued.word, model.Submitted.word, model.Running.word}


def readable(patient: Patient) -> Iterator[Finding]:
    """Whether every record can be read."""
    if patient.store is None:
        return
    with Index(patient.store) as index:
        known, faults = len(index.batches()), dict(index.unreadable)
        odd = [run for run in index.open() if isinstance(run.state, model.Unknown)]
    for why in faults.values():
        yield Finding(PROBLEM, why, "put it back from a copy; the rest of the records is unharmed")
    for run in odd:
        yield Finding(
            WARNING, f"run {run.id} is unknown: {run.state.reason}", f"nbbg show {run.id}"
        )
    if not faults and not odd:
        yield Finding(OK, f"each can be read: {known} batch{'es' * (known != 1)}")


def supervisors(patient: Patient) -> Iterator[Finding]:
    """Whether what waits has a supervisor that starts it."""
    if patient.store is None:
        return
    found = False
    with Index(patient.store) as index:
        for batch in index.batches():
            waiting = index.counts(batch.id).get(model.Queued.word, 0)
            folder = patient.store.batch(batch.id)
            if not waiting or changes.read(folder, batch).paused_at:
                continue
            if batches.supervisor_pid(folder) is None:
                found = True
                what = f"{batch.name}: {waiting} queued, and its supervisor is gone"
                yield Finding(WARNING, what, f"nbbg resume {batch.name}")
    if not found:
        yield Finding(OK, "nothing waits without one")


def at_boot(patient: Patient) -> Iterator[Finding]:
    """Whether open batches go on by themselves after a reboot."""
    from nbbg.ops.booting import setting_up

    if patient.project is None or patient.store is None:
        return
    if way := setting_up.how(patient.project):
        what = f"what a reboot takes away goes on by itself, by {way}"
        left = setting_up.left_to_do(way, patient.machine)
        yield Finding(WARNING if left else OK, *(left or [what]))
        return
    with Index(patient.store) as index:
        opened = [b.name for b in index.batches() if _OPEN & index.counts(b.id).keys()]
    if opened:
        what = f"after a reboot {', '.join(opened)} would wait for a person"
        yield Finding(NOTE, what, "nbbg resume --at-boot")
    else:
        yield Finding(OK, "nothing is open that a reboot could take away")
