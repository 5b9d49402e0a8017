"""`ssh`: runs on other machines, which need nothing from this one once they have them.

The batch's folder goes over, a supervisor is started there (`nbbg.far`), and readers bring home
what its runs have written. Which run is whose is dealt at the hand-over, by facts.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.errors import EnvironmentFault, NbbgError, UsageError
from nbbg.executors import Ticket
from nbbg.executors.ssh import asked, carrying, fetching, setup
from nbbg.executors.ssh.fetching import Look
from nbbg.store import batches, changes, hosts, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nbbg import model
    from nbbg.store.hosts import Host

FRESH = 2.0  # seconds for which a look is good enough for a second question
AT_ONCE = 8  # hosts that are asked side by side


class Ssh:
    """Gives runs to hosts, and asks them."""

    detached = True
    supervised = False

    def __init__(self) -> None:
        self._looks: dict[tuple[Path, str], Look] = {}

    def check(self, options: Sequence[str] = (), store: Path | None = None) -> None:
        """Whether each of the named hosts could take runs now; what is missing is set up."""
        if not options or store is None:
            message = (
                "which machines?\n--on gpu1,gpu2; add one: nbbg host add gpu1 user@machine:folder"
            )
            raise UsageError(message)
        for name in options:
            if hosts.given_up(store, name)[1]:
                again = f"if it is there again: nbbg host remove {name}, and add it"
                raise UsageError(f"{name} was given up\n{again}")
        chosen = [hosts.read(store, name) for name in dict.fromkeys(options)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(ready, chosen):
                pass  # the first fault is raised

    def submit(self, attempt: Path) -> Ticket:
        """Hand one run over alone."""
        batch, run = attempt.parents[2], int(attempt.parent.name)
        self.hand_over(batch, [run], os.environ)
        made = submissions.newest(submissions.of(batch), run)
        return Ticket(None, {"job": made.ticket(run)} if made else {})

    def hand_over(self, batch: Path, runs: Collection[int], environment: Mapping[str, str]) -> None:
        """Deal those of the runs that nobody has, and have each host take its own.

        Raises:
            EnvironmentFault: a host does not take them, or can't be reached; those that it has not
                taken wait for the next hand-over.
        """
        record = batches.read_folder(batch)
        store = batch.parents[1]
        names = changes.read(batch, record).on or record.options
        with submissions.alone(batch):
            dealt = carrying.deal(batch, runs, names)
            loads = [
                carrying.Load(batch, hosts.read(store, name), some, environment)
                for name, some in dealt.items()
            ]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                faults = list(filter(None, pool.map(carrying.attempt, loads)))
        if faults:
            raise EnvironmentFault(_said(faults))
        self._looks.clear()

    def poll(self, tickets: Iterable[str]) -> dict[str, model.Told]:
        """What the hosts say of runs, each asked once."""
        wanted = {ticket: _parts(ticket) for ticket in tickets}
        of_host: dict[tuple[Path, str], set[int]] = {}
        for batch, host, _ in wanted.values():
            of_host.setdefault((batch.parents[1], host), set()).add(int(batch.name))
        looks = self._looked(of_host)
        return {
            ticket: looks[batch.parents[1], host].told(int(batch.name), run, host)
            for ticket, (batch, host, run) in wanted.items()
        }

    def cancel(self, ticket: str, signal: int) -> None:
        """Send a signal to the runner of a run; one that waits is not started any more."""
        batch, name, run = _parts(ticket)
        host = hosts.read(batch.parents[1], name)
        setup.ask(host, "signal", {**asked.about(batch), "run": run, "signal": signal})

    def withdraw(self, batch: Path, runs: Iterable[int]) -> None:
        """Have the hosts be told of the stops that stand in the records here."""
        made = submissions.of(batch)
        self._refresh(batch, {host for run in runs if (host := submissions.host_of(made, run))})

    def fates(self, batch: Path, runs: Collection[int]) -> Mapping[int, model.Told]:  # noqa: ARG002 - all was said
        """The hosts have said all."""
        return {}

    def follow(self, batch: Path) -> None:
        """Have the hosts be told of what was changed."""
        self._refresh(batch, _hosts_of(batch))

    def fetch(self, batches: Collection[Path]) -> None:
        """Bring home what the runs of batches have written.

        Raises:
            EnvironmentFault: a host can't be reached; what the others have is here.
        """
        of_host: dict[tuple[Path, str], set[int]] = {}
        for batch in batches:
            for host in _hosts_of(batch):
                of_host.setdefault((batch.parents[1], host), set()).add(int(batch.name))
        faults = [each.fault for each in self._looked(of_host).values() if not each.given_up]
        if found := list(filter(None, faults)):
            raise EnvironmentFault(_said(found))

    def _refresh(self, batch: Path, names: Iterable[str]) -> None:
        for name in names:
            self._looks.pop((batch.parents[1], name), None)
        self.fetch([batch])

    def _looked(
        self, of_host: Mapping[tuple[Path, str], Collection[int]]
    ) -> dict[tuple[Path, str], Look]:
        """A look at each host; none is asked again that was asked a moment ago."""
        stale = [key for key, numbers in of_host.items() if not self._is_fresh(key, numbers)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda key: _bring(key[0], key[1], of_host[key]), stale)
            self._looks.update(zip(stale, found, strict=True))
        return {key: self._looks[key] for key in of_host}

    def _is_fresh(self, key: tuple[Path, str], numbers: Collection[int]) -> bool:
        look = self._looks.get(key)
        return look is not None and look.asked >= set(numbers) and time.time() - look.at < FRESH


def ready(host: Host, *, strict: bool = True) -> dict[str, Any]:
    """What a host says of itself; nbbg is set up there first, where it is not.

    Raises:
        NbbgError: it can't be reached, or no run could work there.
    """
    request = {"python": host.python, "strict": strict}
    return setup.ask(host, "check", request)


def _bring(store: Path, name: str, numbers: Collection[int]) -> Look:
    by, at = hosts.given_up(store, name)
    if at:
        return Look(
            time.time(), frozenset(numbers), fault=f"{name} was given up by {by}", given_up=at
        )
    try:
        return fetching.bring(store, hosts.read(store, name), sorted(numbers))
    except (NbbgError, OSError) as error:
        return Look(time.time(), frozenset(numbers), fault=str(error))


def _said(faults: Sequence[str]) -> str:
    """One fault whole, with its advice; of several what each says."""
    first = (fault.partition("\n")[0] for fault in faults)
    return faults[0] if len(faults) == 1 else "; ".join(first)


def _hosts_of(batch: Path) -> set[str]:
    return {each.to for each in submissions.of(batch) if each.to and each.job != ""}


def _parts(ticket: str) -> tuple[Path, str, int]:
    batch, host, run = ticket.rsplit(":", 2)
    return Path(batch), host, int(run)


EXECUTOR = Ssh()
