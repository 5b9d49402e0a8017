"""Bringing home what runs have written, and their results after it.

One question tells how all runs of a host stand, and the results of those that have ended; then
rsync brings what they wrote, which is whole by then; the executed notebooks are composed; and at
last the results are put in place. So an ending never arrives before its outputs, wherever the link
is cut.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.classes import dataclass, field, replace
from nbbg.errors import NbbgError
from nbbg.executors.ssh import asked, remote, setup
from nbbg.runner import outcome
from nbbg.runner.work import locate
from nbbg.store import composed, endings, hearsay, hosts, reading, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from nbbg.store.hosts import Host

# Files that their writer only appends to or writes before the end, so that readers stand torn ones.
_OPTIONS = (
    *("--inplace", f"--exclude={paths.LOCK}", f"--exclude={paths.ENVIRONMENT}", "--exclude=.*"),
    *(f"--exclude={name}" for name in (paths.RESULT, paths.PROCESS, paths.TICKET)),
    *(f"--exclude={name}" for name in (paths.STOP, paths.LIMIT)),
)


@dataclass(frozen=True)
class Look:
    """What a host has said of some batches, or why it has said nothing."""

    at: float
    asked: frozenset[int]  # the batches
    batches: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    given_up: float = 0.0  # when; it is not asked any more then

    def told(self, batch: int, run: int, host: str) -> model.Told:
        """Its word about a run."""
        if self.given_up:  # and so nothing is on the way
            return model.Told(model.Word.GONE, self.fault, self.given_up - hearsay.GRACE)
        if self.fault:
            return model.Told(model.Word.UNKNOWN, self.fault.partition("\n")[0])
        found = self.batches.get(str(batch))
        if found is None:
            return model.Told(model.Word.GONE, f"{host} does not have {batch}")
        if word := found["words"].get(str(run)):
            return model.Told(model.Word(word[0]), word[1])
        if any(first <= run <= last for first, last in found["waiting"]):
            return model.Told(*_waiting(found, host))
        return model.Told(model.Word.GONE, f"{host} does not know it")


def _waiting(found: Mapping[str, Any], host: str) -> tuple[model.Word, str]:
    """What is said of runs that were never started there."""
    if found["supervised"] or found["paused"]:
        return model.Word.QUEUED, ""
    return model.Word.GONE, found["stopped"] or f"nobody starts it on {host} any more"


def bring(store: Path, host: Host, numbers: Collection[int]) -> Look:
    """Ask a host, and bring home what its runs have written.

    Raises:
        NbbgError: it can't be reached; what came so far is right.
    """
    while True:
        look, more = _look(store, host, numbers)
        _bring(store, host, look)
        if not more:
            return look


def _look(store: Path, host: Host, numbers: Collection[int]) -> tuple[Look, bool]:
    folder = store / paths.BATCHES
    request = {
        "token": hosts.token(store),
        "batches": {number: asked.of(folder / str(number), host.name) for number in numbers},
    }
    answer = remote.ask(host, setup.python(host), "look", request)
    return Look(time.time(), frozenset(numbers), answer["batches"]), bool(answer["more"])


def _bring(store: Path, host: Host, look: Look) -> None:
    """What the look has named, for those runs that are this host's."""
    found: dict[str, Mapping[str, Any]] = {}
    for number, told in look.batches.items():
        made = submissions.of(store / paths.BATCHES / number)
        _settle_deals(store / paths.BATCHES / number, made, told, host.name)
        for name, attempt in told["attempts"].items():
            if _has_begun(attempt) and _was_dealt(made, int(name.partition("/")[0]), host.name):
                found[f"{number}/{paths.RUNS}/{name}"] = attempt
    if not found:
        return
    folder = store / paths.BATCHES
    source = f"{host.store}/{hosts.token(store)}/{paths.BATCHES}"
    remote.pull(host, source, folder, found, *_OPTIONS)
    for name, attempt in found.items():
        _settle(folder / name, attempt)


def _settle_deals(
    batch: Path, made: Iterable[submissions.Submission], told: Mapping[str, Any], host: str
) -> None:
    """The host has what it was dealt, though its answer was lost."""
    there = {int(run) for run in told["words"]}.union(submissions.each(told["waiting"]))
    for each in made:
        if each.to == host and each.job is None and there.issuperset(submissions.each(each.runs)):
            submissions.settle(batch, each, host)


def _has_begun(attempt: Mapping[str, Any]) -> bool:
    return bool(attempt["facts"]) or "result" in attempt


def _was_dealt(made: list[submissions.Submission], run: int, host: str) -> bool:
    """Whether the host ever had it; not only the last: an earlier attempt stays its own."""
    return any(each.to == host and run in each for each in made)


def _settle(path: Path, attempt: Mapping[str, Any]) -> None:
    """Put the facts in place, and the result after all else."""
    files.make_folder(path)
    with files.Folder(path) as folder:
        for name, text in attempt["facts"].items():
            _put(folder, name, text)
        if text := attempt.get("result"):
            with contextlib.suppress(NbbgError, OSError, ValueError, KeyError):
                _compose(path, json.loads(text))
            _put(folder, paths.RESULT, text)


def _put(folder: files.Folder, name: str, text: str) -> None:
    if not folder.exists(name):
        with contextlib.suppress(FileExistsError):
            folder.write_once(name, text.encode())


def _compose(path: Path, result: Mapping[str, Any]) -> None:
    """Write the executed notebook to its place here, as a runner does."""
    at = locate(path)
    if at.run.arm.log_only or (path / paths.RESULT).exists():
        return
    ended = endings.from_json(dict(result))
    seen = replace(reading.read_attempt(at.run), state=ended, ended_at=result.get("ended_at"))
    notebook = composed.compose(at.batch_folder, at.batch, seen, banner=True)
    target = seen.arm.output_of(seen.number, seen.id)
    if not _is_same(target, notebook):
        outcome.put_beside_older(target, composed.to_bytes(notebook))


def _is_same(target: str, notebook: Mapping[str, Any]) -> bool:
    """Whether it was written already, before the link was cut."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(target, "rb") as file:
        there = json.load(file)["metadata"]["nbbg"]
        own = notebook["metadata"]["nbbg"]
        return bool((there["run"], there["attempt"]) == (own["run"], own["attempt"]))
    return False
