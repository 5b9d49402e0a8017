"""The machines of a project: added, checked, given up; and what was left there, adopted."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbbg
from nbbg import files, paths
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault, StoreError, UsageError
from nbbg.executors import ssh
from nbbg.executors.ssh import moving, remote, setup
from nbbg.ops import asking, selection, steer, supervision
from nbbg.store import changes, hearsay, hosts, place, submissions
from nbbg.store.hosts import Host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbg import model
    from nbbg.index import Index
    from nbbg.ops.project import Project

LONG = 5.0  # seconds for an answer
NOTICEABLE = 60.0  # seconds between two clocks
_BAD = re.compile(r"^-|[\x00-\x1f\x7f]")
_OTHERWISE = re.compile(r"[^:]*[/\[]|[^:]*:(:|//)")  # rsync would take it for another kind of place
_LEFT_THERE = (
    *(paths.RUNS, paths.CHANGES, paths.EVENTS, paths.BATCH, paths.PLAN, paths.ARMS, paths.STOP),
    *(paths.SUPERVISOR_LOCK, paths.SUPERVISOR_LOG, ".*"),
)


@dataclass(frozen=True)
class Left:
    """What a client has left on a host."""

    token: str
    client: Mapping[str, str]
    batches: Mapping[str, Mapping[str, int]]

    def __str__(self) -> str:
        who = f"{self.client.get('store', '?')} on {self.client.get('host', '?')}"
        each = (f"b{n}, {b['ended']} of {b['runs']} ended" for n, b in self.batches.items())
        return f"{self.token}  {who}: {'; '.join(each) or 'no batches'}"


def add(project: Project, name: str, place_: str, more: Mapping[str, str]) -> Host:
    """Write a host down; it is not asked.

    Args:
        project: whose.
        name: what it is called here.
        place_: as it is typed, `TARGET` or `TARGET:FOLDER`.
        more: `python`, `nbbg` and `wheels`.

    Raises:
        UsageError: that can't be meant.
    """
    hosts.check_name(name)
    target, _, folder = place_.partition(":")
    folder = folder.removeprefix("~/").rstrip("/") or f"nbbg/{project.root.name}"
    for text in (target, folder, *more.values()):
        if _BAD.search(text) or not target or _OTHERWISE.match(place_):
            message = f"{place_!r} names no machine\nsuch as user@gpu1.lab:work/proj"
            raise UsageError(message)
    wheels = more.get("wheels", "")
    if wheels and not any(Path(wheels).glob("*.whl")):
        raise UsageError(f"{wheels} holds no wheels\npip download -d {wheels} nbbg")
    host = Host(name, target, folder, **{**more, "wheels": wheels and os.path.abspath(wheels)})
    place.make(project.store)
    hosts.add(project.store.folder, host)
    _forget_what_was_told(project, name)
    return host


def check(host: Host) -> tuple[dict[str, Any], float]:
    """What a host says of itself, and by how many seconds its clock is ahead.

    Raises:
        NbbgError: it can't be reached, or nbbg can't be set up there.
    """
    before = time.time()
    said = ssh.ready(host, strict=False)
    if time.time() - before > LONG:  # it was set up first
        before = time.time()
        said = ssh.ready(host, strict=False)
    return said, float(said["time"]) - (before + time.time()) / 2


def notes(said: Mapping[str, Any], ahead: float) -> list[str]:
    """What a person should know of it before runs are carried there."""
    found = []
    if said["version"] != nbbg.__version__:
        found.append(
            f"nbbg {said['version']} there, {nbbg.__version__} here: the format is the same"
        )
    if abs(ahead) > NOTICEABLE:
        word = "ahead of" if ahead > 0 else "behind"
        found.append(f"its clock is {abs(ahead):.0f} s {word} this one; its records have its time")
    return found


def remove(project: Project, name: str, at_work: Sequence[str]) -> None:
    """Forget a host; what is there stays there.

    Raises:
        UsageError: it is not known, or runs that have not ended are there.
    """
    hosts.read(project.store.folder, name)
    if at_work:
        message = (
            f"{name} has runs of {', '.join(at_work)} that have not ended\n"
            f"nbbg stop {' '.join(at_work)}; where it is gone for good: nbbg host give-up {name}"
        )
        raise UsageError(message)
    hosts.remove(project.store.folder, name)


def give_up(project: Project, name: str) -> None:
    """Say that a host is gone for good.

    Raises:
        UsageError: it is not known.
    """
    hosts.read(project.store.folder, name)
    hosts.give_up(project.store.folder, name, steer.whoever())
    _forget_what_was_told(project, name)


def _forget_what_was_told(project: Project, name: str) -> None:
    """What it said before does not count any more."""
    for number in project.store.batch_numbers():
        if name in dealt_to(project, [number]):
            hearsay.forget(project.store.batch(number))


def move(project: Project, index: Index, names: Sequence[str], to: Sequence[str]) -> list[str]:
    """Deal what waits in the named batches, or in all over ssh, to these hosts from now on.

    Args:
        project: where.
        index: of it.
        names: of batches.
        to: of hosts.

    Returns:
        Why some of it stays where it is.

    Raises:
        NbbgError: a name is none of a batch over ssh; a host is not known, or can't take runs.
    """
    chosen = [batch for batch in _batches(index, names) if batch.executor == "ssh"]
    if not chosen:
        raise UsageError("--on is for batches over ssh, and none has runs left\nnbbg status")
    ssh.EXECUTOR.check(to, project.store.folder)
    troubles = []
    for batch in chosen:
        folder = project.store.batch(batch.id).resolve()
        changes.set_hosts(folder, to, steer.whoever())
        troubles += moving.move(folder, index.waiting(batch.id), to)
        supervision.ensure(project, batch)
    asking.refresh(index, fresh=0)  # what was lost is so still, and may be started again
    return troubles


def _batches(index: Index, names: Sequence[str]) -> list[model.Batch]:
    if names:
        return selection.batches(index, names, "what waits is dealt anew by batches: b3 --on gpu2")
    return [index.batch(number) for number in index.unfinished()]


def left(host: Host) -> list[Left]:
    """What clients have left on a host.

    Raises:
        NbbgError: it can't be asked.
    """
    ssh.ready(host, strict=False)
    answer = setup.ask(host, "stores", {})
    return [Left(token, one["client"], one["batches"]) for token, one in answer["stores"].items()]


def adopt(project: Project, host: Host, chosen: Left) -> list[int]:
    """Take over what a client has left: its batches become this project's; the new ones.

    Raises:
        UsageError: this project has batches of its own, or calls the host otherwise.
        NbbgError: the host can't be reached; what came is whole, and the same again goes on.
    """
    store = project.store
    place.make(store)
    with files.Folder(store.folder) as folder:
        known = (folder.read(paths.CALLED) or b"").decode()
        if known != chosen.token and store.batch_numbers():
            message = "this project has batches of its own\nadopt in a new folder, or a new clone"
            raise UsageError(message)
        if known and known != chosen.token:
            folder.remove(paths.CALLED)
        hosts.take_token(folder, chosen.token)
    here = store.batch_numbers()
    new = [int(n) for n in chosen.batches if int(n) not in here]
    for number in sorted(map(int, chosen.batches)):
        if number in new:
            _adopt(project, host, chosen.token, number)
        else:
            _learn_deals(project, host, chosen.token, number)
    return new


def _learn_deals(project: Project, host: Host, token: str, number: int) -> None:
    """Of a batch that is here: who was given which runs since the host it came from was told."""
    asked = f"{host.store}/{token}/{paths.BATCHES}/{number}/{paths.ASKED}"
    import tempfile  # of adoptions alone

    with tempfile.TemporaryDirectory() as folder:
        remote.pull(host, asked, Path(folder), [paths.JOBS])
        submissions.learn(project.store.batch(number), Path(folder) / paths.JOBS)


def _adopt(project: Project, host: Host, token: str, number: int) -> None:
    import shutil

    made = project.store.batches / f".new-{os.urandom(16).hex()}"
    files.make_folder(made)
    source = f"{host.store}/{token}/{paths.BATCHES}/{number}"
    try:
        remote.pull(host, source, made, ["."], *(f"--exclude=/{name}" for name in _LEFT_THERE))
        _arrange(project, made)
        os.rename(made, project.store.batch(number))
        files.fsync_folder(project.store.batches)
    except OSError as error:
        message = f"{project.store.batches} can't be written: {error.strerror}"
        raise StoreError(message) from error
    finally:
        import shutil

        shutil.rmtree(made, ignore_errors=True)


def _arrange(project: Project, made: Path) -> None:
    """A batch as it was on the machine that launched it."""
    asked = made / paths.ASKED
    with files.Folder(asked) as opened:
        record = opened.read_json(paths.BATCH)
    if record is None:
        raise EnvironmentFault(f"{asked / paths.BATCH} is missing")
    root = "" if project.store.folder == project.root / paths.STORE else str(project.root)
    with files.Folder(made) as opened:
        opened.replace(paths.BATCH, files.to_json({**record, "root": root}))
        for name in (paths.PLAN, paths.ARMS, paths.JOBS):
            with contextlib.suppress(FileNotFoundError):
                os.rename(asked / name, made / name)
        for name in (paths.EVENTS, paths.SUPERVISOR_LOCK):
            opened.replace(name, b"")
    files.make_folder(made / paths.RUNS)
    import shutil

    shutil.rmtree(asked)


def dealt_to(project: Project, numbers: Sequence[int]) -> list[str]:
    """The hosts that have runs of these batches."""
    found = {each.to for number in numbers for each in submissions.of(project.store.batch(number))}
    return sorted(filter(None, found))
