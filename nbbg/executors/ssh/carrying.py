"""Giving runs to hosts: dealt by facts first, then pushed, then published there by one rename.

Whatever is cut on the way is begun again by the next hand-over, and what was done is found done.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, process
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault, NbbgError
from nbbg.executors.ssh import answers, asked, remote, setup
from nbbg.store import batches, hosts, runs, state, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nbbg.store.hosts import Host

_LEFT_HERE = (
    *(paths.RUNS, paths.JOBS, paths.CHANGES, paths.EVENTS, paths.TOLD, paths.STOP),
    *(paths.SUPERVISOR_LOCK, paths.SUPERVISOR_LOG, paths.PACKAGES, ".*"),
)


@dataclass(frozen=True)
class Load:
    """What one host is given of a batch."""

    batch: Path
    host: Host
    runs: Sequence[int]
    environment: Mapping[str, str]

    @property
    def store(self) -> Path:
        """The project's own records."""
        return self.batch.parents[1]


def deal(batch: Path, waiting: Collection[int], names: Sequence[str]) -> dict[str, list[int]]:
    """Which of the runs each host is to have: as they were dealt, the others by turns.

    Args:
        batch: of the runs.
        waiting: the runs.
        names: the hosts that those which no living host has are dealt to.

    Raises:
        EnvironmentFault: there is no host left for them.
        StoreError: nobody knows who has which.
    """
    store, made = batch.parents[1], submissions.whole(batch)
    given_up = {each.to for each in made if hosts.given_up(store, each.to)[1]}
    dealt: dict[str, list[int]] = {}
    new = []
    for run in sorted(waiting):
        host = submissions.host_of(made, run)
        if host and host not in given_up:
            dealt.setdefault(host, []).append(run)
        else:
            new.append(run)
    if new:
        for name, some in _by_turns(new, _living(store, names)).items():
            submissions.intend(batch, name, some, to=name)
            dealt[name] = sorted([*dealt.get(name, []), *some])
    return dealt


def carry(load: Load) -> None:
    """Have a host take its runs; a second time changes nothing.

    Raises:
        NbbgError: it can't be reached, or can't take them; the next hand-over goes on.
    """
    record = batches.read_folder(load.batch)
    root = Path(record.root or load.batch.parents[2])
    for name in record.facts.get(hosts.SENT, ()):
        if (root / name).exists():  # it was at the launch; a fresh clone may lack it
            send(load.host, root, name)
    given = _carry(load, record)
    if given:  # by a move that was cut: they are free, and dealt anew to the same host
        submissions.intend(load.batch, load.host.name, given, to=load.host.name)
        _carry(load, record)
    for each in submissions.of(load.batch):
        if each.to == load.host.name and each.job is None:
            submissions.settle(load.batch, each, load.host.name)


def _carry(load: Load, record: model.Batch) -> list[int]:
    """The runs that were given back there before, and so were not taken."""
    request = _request(load, record)
    answer = _take(load, {**request, "incoming": ""})
    if answer["missing"]:
        incoming = f".new-{os.urandom(8).hex()}"
        target = f"{load.host.store}/{hosts.token(load.store)}/{paths.BATCHES}/{incoming}/"
        remote.push(
            load.host,
            f"{load.batch}/",
            target,
            *("-r", "--executability", *(f"--exclude=/{name}" for name in _LEFT_HERE)),
        )
        answer = _take(load, {**request, "incoming": incoming})
    given = answers.ranges(load.host, answer.get("given", ()))
    return [run for run in load.runs if submissions.has(given, run)]


def send(host: Host, root: Path, name: str) -> None:
    """Carry a file or folder of the project to the same place there.

    Raises:
        EnvironmentFault: it can't be.
    """
    options = ("-r", "--relative", "--executability", f"--exclude=/{paths.STORE}")
    remote.push(host, f"{root}/./{name}", f"{host.path}/", *options)


def client(store: Path) -> dict[str, str]:
    """Who we are, for whoever finds our runs there."""
    return {"host": process.host(), "store": str(store)}


def _take(load: Load, request: Mapping[str, Any]) -> dict[str, Any]:
    return setup.ask(load.host, "take", request, remote.SETUP_PATIENCE)


def _request(load: Load, record: model.Batch) -> dict[str, Any]:
    carried = record.facts.get(hosts.CARRIED, ())
    return {
        **asked.about(load.batch),
        "client": client(load.store),
        "until": max((each.number for each in submissions.of(load.batch)), default=0),
        "runs": submissions.ranges(load.runs),
        "attempts": _attempts(load),
        "deals": deals(load.batch),
        "orders": asked.orders(load.batch, ()),
        "lifts": True,
        "python": load.host.python,
        "environment": {n: load.environment[n] for n in carried if n in load.environment},
    }


def _attempts(load: Load) -> dict[int, int]:
    """The attempts that were asked for here one by one, and are not known to have begun."""
    found = {}
    for run in load.runs:
        folder = load.batch / paths.RUNS / str(run)
        if number := runs.newest_attempt(folder):
            with files.Folder(folder / str(number)) as opened:
                if isinstance(state.derive(opened), model.Queued):
                    found[run] = number
    return found


def deals(batch: Path) -> dict[int, Any]:
    """Who was given which runs, by number."""
    made = batch / paths.JOBS
    found = {}
    for each in submissions.of(batch):
        found[each.number] = json.loads((made / f"{each.number}.json").read_bytes())
    return found


def _living(store: Path, names: Sequence[str]) -> list[str]:
    found = [name for name in names if not hosts.given_up(store, name)[1]]
    if not found:
        message = f"no host is left for these runs: {', '.join(names)} given up\n--on another"
        raise EnvironmentFault(message)
    return found


def _by_turns(new: Sequence[int], names: Sequence[str]) -> dict[str, Sequence[int]]:
    dealt = {name: new[index :: len(names)] for index, name in enumerate(names)}
    return {name: some for name, some in dealt.items() if some}


def attempt(load: Load) -> str:
    """Carry it; why it could not be, or nothing."""
    try:
        carry(load)
    except (NbbgError, OSError) as fault:
        return str(fault)
    return ""
