"""The project for commands that read or stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import output
from nbbg.ops import project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.ops.project import Project


def here(flags: Mapping[str, object] | None = None) -> Project:
    """The project of the current folder; a slip in its settings is said, and no obstacle."""
    found = project.to_read(flags=flags)
    if found.fault:
        output.say(f"nbbg: {found.fault}")
    return found
