"""`look`: how the runs of some batches stand here, and the facts that the client has not yet.

What the client has decided meanwhile is done first. The result of an attempt is in the answer;
what the attempt has written before is for rsync, which comes after.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.errors import NbbgError
from nbbg.far import orders, places
from nbbg.far.giving import is_given_back
from nbbg.store import batches, changes, plans, state, submissions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nbbg.store.place import Store

FACTS = (paths.PROCESS, paths.STOP, paths.LIMIT)  # small, and read whole: never seen in parts
MOST = 500  # results in an answer
JUST = 10.0  # seconds that a supervisor may take to show itself
_WORDS = {
    model.Queued: model.Word.QUEUED,
    model.Submitted: model.Word.QUEUED,
    model.Running: model.Word.RUNNING,
    model.Unknown: model.Word.UNKNOWN,
}


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what was decided, and look."""
    store = places.of(request)
    left = MOST
    found = {}
    for number, asked in request["batches"].items():
        if store.batch(int(number)).exists():
            try:
                places.refuse_other(store, int(number), asked.get("made"))
                orders.apply(store, int(number), asked["orders"])
                looked = _Look(store, int(number), asked["settled"], left)
                found[number] = looked.answer()
                left = looked.left
            except (NbbgError, OSError, ValueError, KeyError, TypeError) as error:
                found[number] = {"fault": f"b{number} can't be read there: {error}"}
    return {"batches": found, "more": left <= 0}


class _Look:
    """At one batch."""

    def __init__(
        self, store: Store, number: int, settled: Mapping[str, submissions.Ranges], left: int
    ) -> None:
        self.folder = store.batch(number)
        self.settled = {
            int(attempt): set(submissions.each(found)) for attempt, found in settled.items()
        }
        self.left = left

    def answer(self) -> dict[str, Any]:
        """Words by run, facts by attempt, and what was never started."""
        attempts: dict[str, Any] = {}
        words: dict[int, tuple[str, str]] = {}
        begun = set()
        for run, number, path in _attempts(self.folder / paths.RUNS):
            begun.add(run)
            known = self.settled.get(number, ())
            attempt = None if run in known else self._attempt(path)
            if attempt:
                attempts[f"{run}/{number}"] = attempt
            words[run] = _word(attempt, run in known)
        waiting = [run.id for run in plans.read(self.folder / paths.PLAN) if run.id not in begun]
        return {
            "attempts": attempts,
            "words": {run: word for run, word in words.items() if word[0]},
            "waiting": submissions.ranges(waiting),
            "stopped": batches.stop_of(self.folder)[0],
            "paused": bool(changes.read(self.folder, batches.read_folder(self.folder)).paused_at),
            "supervised": _is_supervised(self.folder),
        }

    def _attempt(self, path: Path) -> dict[str, Any] | None:
        """One that the client does not know the result of; None where it is none of ours."""
        with files.Folder(path) as folder:
            result = folder.read(paths.RESULT)
            with contextlib.suppress(ValueError):
                if is_given_back(folder):
                    return None
            if result is not None:
                self.left -= 1
                if self.left < 0:  # in the next answer
                    return {"word": model.Word.UNKNOWN, "reason": "its result is on the way"}
            found = state.derive(folder)
            facts = {name: _text(data) for name in FACTS if (data := folder.read(name))}
        word = _WORDS.get(type(found), model.Word.GONE)
        reason = _reason(found)
        told = {"word": word, "reason": reason, "facts": facts}
        return {**told, "result": _text(result)} if result is not None else told


def _text(data: bytes) -> str:
    """Any bytes: a record may quote names of files that are no text."""
    return data.decode(errors="surrogateescape")


def _is_supervised(folder: Path) -> bool:
    """Whether somebody starts what waits, or is just about to."""
    if batches.supervisor_pid(folder) is not None:
        return True
    since = time.time() - (folder / paths.SUPERVISOR_LOCK).stat().st_mtime
    return since < JUST


def _reason(found: model.RunState) -> str:
    if isinstance(found, model.Queued):
        return ""
    return found.waits_for if isinstance(found, model.Submitted) else found.reason


def _word(attempt: Mapping[str, Any] | None, known: bool) -> tuple[str, str]:  # noqa: FBT001 - of one pair
    """What is said of a run whose newest attempt this is."""
    if attempt:
        return attempt["word"], attempt["reason"]
    return (model.Word.GONE, "") if known else ("", "")


def _attempts(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """Every attempt, the newest of each run last."""
    for name in os.listdir(folder):
        if name.isdigit():
            numbers = sorted(int(each) for each in os.listdir(folder / name) if each.isdigit())
            for number in numbers:
                yield int(name), number, folder / name / str(number)
