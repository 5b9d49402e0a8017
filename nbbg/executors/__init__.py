"""Executors: where a run is carried to. Each one starts the same runner on the same folder.

An executor need not be exactly-once: whatever it starts twice, one of them gets the claim. Its
word only explains a missing result; the truth stays in the run's folder.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from nbbg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg.model import Identity

_MODULES = {name: f"nbbg.executors.{name}" for name in ("local", "tmux", "inline")}
NAMES = tuple(_MODULES)


@dataclass(frozen=True)
class Ticket:
    """What an executor knows of what it started."""

    runner: Identity | None  # None when it is gone already
    place: Mapping[str, str] = field(default_factory=dict)  # in its own terms: a tmux pane


class Executor(Protocol):
    """Carries runners to a place."""

    detached: bool  # whether what it starts outlives this process

    def check(self) -> None:
        """Whether this machine has what it needs.

        Raises:
            EnvironmentFault: it has not; the message says what to type.
        """

    def submit(self, attempt: Path) -> Ticket:
        """Start a runner for the attempt in that folder.

        Raises:
            EnvironmentFault: it can't be started.
        """


def get(name: str) -> Executor:
    """The executor of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in _MODULES:
        message = f"there is no executor {name!r}; there are: {', '.join(NAMES)}"
        raise UsageError(message)
    executor: Executor = importlib.import_module(_MODULES[name]).EXECUTOR
    return executor
