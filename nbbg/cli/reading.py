"""The project for commands that read or stop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.cli import output
from nbbg.index import Index
from nbbg.ops import project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbbg.ops.project import Project

SLOW = 4.0  # seconds after which it is said what is waited for
WAITS = "still asking how it stands elsewhere (Ctrl-C ends this command)"


def here(flags: Mapping[str, object] | None = None) -> Project:
    """The project of the current folder; a slip in its settings is said, and no obstacle."""
    found = project.to_read(flags=flags)
    if found.fault:
        output.say(f"nbbg: {found.fault}")
    return found


@contextlib.contextmanager
def index(where: Project) -> Iterator[Index]:
    """The runs as they are now, also as a scheduler tells of them; what it can't tell is said."""
    with Index(where.store) as opened:
        for trouble in _ask(opened):
            output.say(trouble)
        yield opened


def _ask(opened: Index) -> list[str]:
    """Ask schedulers, where any batch is with one."""
    names = {opened.batch(number).executor for number in opened.unfinished()}
    if names <= model.SEEN_FROM_HERE:
        return []
    import threading

    from nbbg.ops import asking

    slow = threading.Timer(SLOW, output.say, [WAITS])
    slow.daemon = True
    slow.start()
    try:
        return asking.refresh(opened)
    finally:
        slow.cancel()
