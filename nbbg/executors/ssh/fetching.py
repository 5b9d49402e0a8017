"""Bringing home what runs have written, and their results after it.

One question tells how all runs of a host stand, and the results of those that have ended; then
rsync brings what they wrote, which is whole by then; the executed notebooks are composed; and at
last the results are put in place. So an ending never arrives before its outputs, wherever the link
is cut. One command at a time fetches from a host: what an earlier one brings late would overwrite
what came since.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.classes import dataclass, field, replace
from nbbg.errors import NbbgError
from nbbg.executors.ssh import answers, asked, remote, setup
from nbbg.runner import outcome
from nbbg.runner.work import locate
from nbbg.store import composed, endings, hearsay, hosts, locks, reading, runs, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from nbbg.store.hosts import Host

PATIENCE = 30.0  # seconds that one command waits for another that fetches
_ODD = (ValueError, KeyError, TypeError, AttributeError)  # of a damaged result
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
        if "fault" in found:
            return model.Told(model.Word.UNKNOWN, found["fault"].partition("\n")[0])
        if told := found["words"].get(run):
            word: model.Told = told
            return word
        if submissions.has(found["waiting"], run):
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
    with alone(store, host.name) as lock:
        while True:
            look, more = _look(store, host, numbers)
            if not _bring(store, host, look, lock) or not more:
                return look


@contextlib.contextmanager
def alone(store: Path, name: str) -> Iterator[int]:
    """A lock that rsync holds too: it may outlive us."""
    busy = f"{name}: another command is fetching from it"
    with (
        files.Folder(store / paths.HOSTS) as folder,
        locks.alone(folder, f".{name}.lock", PATIENCE, busy) as lock,
    ):
        yield lock


def _look(store: Path, host: Host, numbers: Collection[int]) -> tuple[Look, bool]:
    folder = store / paths.BATCHES
    wanted = {number: asked.of(folder / str(number), host.name) for number in numbers}
    request = {"token": hosts.token(store), "batches": wanted}
    answer = setup.ask(host, "look", request, connect=remote.LOOK_CONNECT)
    found = answers.looked(host, answer, numbers)
    for number, told in wanted.items():
        there = found.get(str(number), {"attempts": {}, "words": {}})
        if "fault" not in there:
            _confirm(folder / str(number), there, told["orders"].get("stops", {}))
    return Look(time.time(), frozenset(numbers), found), bool(answer.get("more"))


def _confirm(batch: Path, told: Mapping[str, Any], stops: Mapping[int, Any]) -> None:
    """Write down which of the attempts that are to stop the host has not begun, and never will."""
    for run, stop in stops.items():
        name = f"{run}/{stop['attempt']}"
        word = told["words"][run].word if run in told["words"] else model.Word.GONE
        has_begun = {paths.PROCESS, paths.RESULT} & told["attempts"].get(name, {}).keys()
        if word is model.Word.GONE and not has_begun:
            with files.Folder(batch / paths.RUNS / name) as folder:
                _put(folder, paths.UNBEGUN, b"{}")


def _bring(store: Path, host: Host, look: Look, lock: int) -> bool:
    """What the look has named, for those runs that are this host's; whether any had ended."""
    found: dict[str, Mapping[str, bytes]] = {}
    for number, told in look.batches.items():
        if "fault" not in told:
            batch = store / paths.BATCHES / number
            made = submissions.of(batch)
            _settle_deals(batch, made, told, host.name)
            for name, facts in told["attempts"].items():
                if facts and _is_its_own(batch, made, name, host.name, facts):
                    found[f"{number}/{paths.RUNS}/{name}"] = facts
    if not found:
        return False
    folder = store / paths.BATCHES
    source = f"{host.store}/{hosts.token(store)}/{paths.BATCHES}"
    remote.pull(host, source, folder, found, *_OPTIONS, keeps=lock)
    for name, facts in found.items():
        _settle(folder / name, facts)
    return any(paths.RESULT in facts for facts in found.values())


def _settle_deals(
    batch: Path, made: Iterable[submissions.Submission], told: Mapping[str, Any], host: str
) -> None:
    """The host has what it was dealt, though its answer was lost."""
    words, waiting = told["words"], told["waiting"]
    for each in made:
        if each.to == host and each.job is None:
            dealt = submissions.each(each.runs)
            if all(run in words or submissions.has(waiting, run) for run in dealt):
                submissions.settle(batch, each, host)


def _is_its_own(
    batch: Path,
    made: list[submissions.Submission],
    name: str,
    host: str,
    facts: Mapping[str, bytes],
) -> bool:
    """Whether an attempt is that host's: it was dealt the run, and nobody else has the attempt.

    A host that was given up may have gone on all the while.
    """
    run, _, attempt = name.partition("/")
    if not any(each.to == host and int(run) in each for each in made):
        return False
    if submissions.host_of(made, int(run)) == host:
        return True
    folder = batch / paths.RUNS / run
    if int(attempt) < runs.newest_attempt(folder):
        return True
    try:
        with files.Folder(folder / attempt) as opened:
            claim = opened.read(paths.PROCESS)
    except FileNotFoundError:
        return False
    return claim is not None and claim == facts.get(paths.PROCESS)


def _settle(path: Path, facts: Mapping[str, bytes]) -> None:
    """Put the facts in place, and the result after all else."""
    files.make_folder(path)
    with files.Folder(path) as folder:
        for name, data in facts.items():
            if name != paths.RESULT:
                _put(folder, name, data)
        if result := facts.get(paths.RESULT):
            with contextlib.suppress(NbbgError, OSError, *_ODD):
                _compose(path, files.from_json(result))
            _put(folder, paths.RESULT, result)


def _put(folder: files.Folder, name: str, data: bytes) -> None:
    if not folder.exists(name):
        with contextlib.suppress(FileExistsError):
            folder.write_once(name, data)


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
    with contextlib.suppress(OSError, *_ODD), open(target, "rb") as file:
        there = json.load(file)["metadata"]["nbbg"]
        own = notebook["metadata"]["nbbg"]
        return bool((there["run"], there["attempt"]) == (own["run"], own["attempt"]))
    return False
