"""Executors: where a run is carried to. Each one starts the same runner on the same folder.

An executor need not be exactly-once: whatever it starts twice, one of them gets the claim. Its
word only explains a missing result; the truth stays in the run's folder. Others can add theirs
through entry points of the group `nbbg.executors`: a name, and an object like `Executor`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from nbbg.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg.model import Identity, Told

GROUP = "nbbg.executors"  # of entry points
_MODULES = {name: f"nbbg.executors.{name}" for name in ("local", "tmux", "inline")}
NAMES = tuple(_MODULES)
OF_THIS_MACHINE = frozenset(("local", "tmux", "inline"))


@dataclass(frozen=True)
class Ticket:
    """What an executor knows of what it started."""

    runner: Identity | None  # None when it is gone already, or is no process of this machine
    place: Mapping[str, str] = field(default_factory=dict)  # in its own terms: a tmux pane, a job


class Executor(Protocol):
    """Carries runners to a place.

    A ticket is what `submit` gave, as the attempt's `ticket.json` has it; attempts are named by
    their folders.
    """

    detached: bool  # whether what it starts outlives this process
    supervised: bool  # whether a supervisor on this machine starts its runs one by one

    def check(self) -> None:
        """Whether this machine has what it needs.

        Raises:
            EnvironmentFault: it has not; the message says what to type.
        """

    def submit(self, attempt: Path) -> Ticket:
        """Start a runner for the attempt in that folder; a second time changes nothing.

        Raises:
            EnvironmentFault: it can't be started.
        """

    def poll(self, tickets: Mapping[Path, Mapping[str, object]]) -> Mapping[Path, Told]:
        """What it knows of these attempts, in as few calls as it can.

        What can't be asked is `unknown`, with the reason; nothing is raised for that.
        """

    def cancel(self, attempt: Path, ticket: Mapping[str, object], signal: int) -> None:
        """Send a signal to what works on an attempt, or take it out of the line.

        Raises:
            EnvironmentFault: it can't be reached.
        """

    def fetch(self, batch: Path) -> None:
        """Bring home what the runs of a batch have recorded since; each result after the rest.

        Raises:
            EnvironmentFault: the place can't be reached; what came so far is right.
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
