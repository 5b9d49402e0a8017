"""How what waits in a batch that was given to a scheduler stands in its line.

Facts say that nothing was started; whether it is still in the line, and why it waits there, is
hearsay.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.classes import dataclass
from nbbg.store import hearsay, submissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg.store.submissions import Submission


@dataclass(frozen=True)
class Lineup:
    """One batch, at one instant."""

    submissions: Sequence[Submission]
    common: model.Told | None  # of what was never started
    apart: Mapping[int, model.Told]

    def state(self, run: model.Run) -> model.RunState:
        """The state of a run that the facts call queued."""
        taken = submissions.newest(self.submissions, run.id)
        if taken is None:
            return run.state
        told = hearsay.of(Path(run.folder)) if run.attempt else self._told(run.id)
        never = told is not None and told.word is model.Word.GONE and run.attempt
        return run.state if never or _has_not(taken, told) else _state(told)

    def host(self, run: model.Run) -> str:
        """Which machine has a run."""
        return submissions.host_of(self.submissions, run.id) or run.host

    def counts(self, waiting: Iterable[int]) -> Mapping[str, int]:
        """How many of the runs that were never started are in each state."""
        found: dict[str, int] = {}
        for run in waiting:
            taken, told = submissions.newest(self.submissions, run), self._told(run)
            waits = taken is None or _has_not(taken, told)
            word = model.Queued.word if waits else _state(told).word
            found[word] = found.get(word, 0) + 1
        return found

    def _told(self, run: int) -> model.Told | None:
        return self.apart.get(run, self.common)


def of(batch: Path) -> Lineup | None:
    """Where that batch was given to a scheduler; else None."""
    made = [each for each in submissions.of(batch) if each.may_be_there]
    return Lineup(made, *hearsay.of_waiting(batch)) if made else None


def _has_not(taken: Submission, told: model.Told | None) -> bool:
    """Whether a host that was to have it does not have it yet, as far as it can be asked."""
    return taken.job is None and (told is None or told.word is not model.Word.UNKNOWN)


def _state(told: model.Told | None) -> model.RunState:
    if told is None:
        return model.Submitted()
    if told.word is model.Word.GONE:
        return model.Lost(f"never started: {told.reason or 'its scheduler does not know it'}")
    if told.word is model.Word.UNKNOWN:
        return model.Unknown(told.reason)
    return model.Submitted(told.reason)
