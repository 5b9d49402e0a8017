"""How what waits in a batch that was given to a scheduler stands in its line.

Facts say that nothing was started; whether it is still in the line, and why it waits there, is
hearsay.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import model
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
        if submissions.newest(self.submissions, run.id) is None:
            return run.state
        if run.attempt:
            told = hearsay.of(Path(run.folder))
            gone = told is not None and told.word is model.Word.GONE
            return run.state if gone else _state(told)
        return _state(self.apart.get(run.id, self.common))

    def counts(self, waiting: Iterable[int]) -> Mapping[str, int]:
        """How many of the runs that were never started are in each state."""
        found: dict[str, int] = {}
        for run in waiting:
            taken = submissions.newest(self.submissions, run)
            word = _state(self.apart.get(run, self.common)).word if taken else model.Queued.word
            found[word] = found.get(word, 0) + 1
        return found


def of(batch: Path) -> Lineup | None:
    """Where that batch was given to a scheduler; else None."""
    made = [each for each in submissions.of(batch) if each.job]
    return Lineup(made, *hearsay.of_waiting(batch)) if made else None


def _state(told: model.Told | None) -> model.RunState:
    if told is None:
        return model.Submitted()
    if told.word is model.Word.GONE:
        return model.Lost(f"never started: {told.reason or 'its scheduler does not know it'}")
    if told.word is model.Word.UNKNOWN:
        return model.Unknown(told.reason)
    return model.Submitted(told.reason)
