"""Executors: where a run is carried to. Each one starts the same runner on the same folder.

An executor need not be exactly-once: whatever it starts twice, one of them gets the claim. Its
word only explains a missing result; the truth stays in the run's folder. Others can add theirs
through entry points of the group `nbbg.executors`: a name, and an object like `Executor`, or like
`Scheduler` where it takes whole batches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, cast

from nbbg.classes import dataclass, field
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.model import SEEN_FROM_HERE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from nbbg.model import Identity, Told

GROUP = "nbbg.executors"  # of entry points
_MODULES = {name: f"nbbg.executors.{name}" for name in ("local", "tmux", "inline", "slurm", "ssh")}
NAMES = tuple(_MODULES)


@dataclass(frozen=True)
class Ticket:
    """What an executor knows of what it started."""

    runner: Identity | None  # None when it is gone already, or is no process of this machine
    place: Mapping[str, str] = field(default_factory=dict)  # in its own terms: a tmux pane, a job


def ticket_of(record: Mapping[str, Any]) -> str:
    """What names an attempt to its executor, from `ticket.json`."""
    return str(record.get("job") or "{boot}:{pid}:{start_time}".format_map(record))


class Executor(Protocol):
    """Carries runners to a place."""

    detached: bool  # whether what it starts outlives this process
    supervised: bool  # whether a supervisor on this machine starts its runs; else a `Scheduler`

    def check(self, options: Sequence[str] = (), store: Path | None = None) -> None:
        """Whether it could take runs now, with these options of its own.

        Args:
            options: as the settings have them.
            store: the folder of the project's records; None where there is none yet.

        Raises:
            UsageError: it has no such option.
            EnvironmentFault: it could not; the message says what to type.
        """

    def submit(self, attempt: Path) -> Ticket:
        """Start a runner for the attempt in that folder.

        Raises:
            EnvironmentFault: it can't be started.
        """

    def poll(self, tickets: Iterable[str]) -> Mapping[str, Told]:
        """What it knows of these, in as few calls as it can.

        What can't be asked is `unknown`, with the reason; nothing is raised for that.
        """

    def cancel(self, ticket: str, signal: int) -> None:
        """Send a signal to the runner; what waits is taken out of the line.

        Raises:
            EnvironmentFault: it can't be reached.
        """

    def fetch(self, batches: Collection[Path]) -> None:
        """Bring home what the runs of batches have recorded since; each result after the rest.

        Raises:
            EnvironmentFault: a place can't be reached; what came so far is right.
        """


class Scheduler(Executor, Protocol):
    """Takes the runs of a batch as a whole, and starts them without a supervisor here."""

    def hand_over(self, batch: Path, runs: Collection[int], environment: Mapping[str, str]) -> None:
        """Submit those of the runs that it does not have yet; a second time changes nothing.

        Raises:
            EnvironmentFault: it does not take them; what it did not take is as it was.
        """

    def withdraw(self, batch: Path, runs: Iterable[int]) -> None:
        """Take runs that wait out of the line.

        Raises:
            EnvironmentFault: it can't be reached.
        """

    def fates(self, batch: Path, runs: Collection[int]) -> Mapping[int, Told]:
        """More of runs that it had, that are gone, and of which nothing was ever recorded.

        A reason that begins with `cancelled` says that a person has taken the run out of the line.
        """

    def follow(self, batch: Path) -> None:
        """Do what was changed about a batch since: how many at a time, a pause, its end.

        Raises:
            EnvironmentFault: it can't be reached.
        """


def get(name: str) -> Executor:
    """The executor of that name.

    Raises:
        UsageError: there is none.
        EnvironmentFault: it belongs to another package, and can't be loaded.
    """
    if name in _MODULES:
        executor: Executor = importlib.import_module(_MODULES[name]).EXECUTOR
        return executor
    return _of_others(name)


def scheduler(name: str) -> Scheduler | None:
    """The same where it takes whole batches; None where a supervisor here does that work."""
    if name in SEEN_FROM_HERE:  # not even looked at
        return None
    found = get(name)
    return None if found.supervised else cast("Scheduler", found)


def _of_others(name: str) -> Executor:
    from importlib import metadata

    others = metadata.entry_points(group=GROUP)
    if name not in others.names:
        known = ", ".join([*NAMES, *sorted(others.names)])
        raise UsageError(f"there is no executor {name!r}; there are: {known}")
    try:
        executor: Executor = others[name].load()
    except Exception as error:
        raise EnvironmentFault(f"the executor {name!r} can't be loaded: {error}") from error
    return executor
