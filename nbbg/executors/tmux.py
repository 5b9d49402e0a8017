"""`tmux`: each runner in a pane of its own, to look at; the truth stays in the records.

The runner is executed directly in the pane, never typed into a shell. The server gets a bare
environment, since it keeps the first one it sees for all sessions; what a run needs travels in
its folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from nbbg import faults, process
from nbbg.errors import EnvironmentFault
from nbbg.executors import Ticket
from nbbg.executors.here import Here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbbg.model import Identity

PATIENCE = 1.0  # seconds
_PASSED_ON = (
    *("HOME", "LANG", "LC_ALL", "PATH", "SHELL", "TERM", "TMUX_TMPDIR", "USER"),
    faults.NAME,
)
_WHERE = "#{pane_id} #{pane_pid}"


class Tmux(Here):
    """One session a batch, one window a run."""

    def check(self, options: Sequence[str] = (), store: Path | None = None) -> None:  # noqa: ARG002 - it has none
        """tmux must be there."""
        if shutil.which("tmux") is None:
            message = "there is no tmux on this machine\ninstall it, or use --executor local"
            raise EnvironmentFault(message)

    def submit(self, attempt: Path) -> Ticket:
        """Start a runner in a new window; the session is made with the first."""
        session, window = session_name(attempt), f"r{attempt.parent.name}-{attempt.name}"
        argv = process.own_program("nbbg.runner", str(attempt))
        made = _tmux("new-window", "-d", "-t", f"={session}:", "-n", window, "-PF", _WHERE, *argv)
        if made.returncode:
            made = _tmux(
                *("new-session", "-d", "-s", session, "-n", window, "-x", "200", "-y", "50"),
                *("-PF", _WHERE, *argv),
            )
        if made.returncode:
            message = f"tmux: {made.stderr.strip()}"
            raise EnvironmentFault(message)
        said = made.stdout.split()
        if not said:
            return Ticket(_found(argv))
        pane, pid = said
        _tmux("set-option", "-p", "-t", pane, "remain-on-exit", "failed")
        return Ticket(process.identity(int(pid)), {"pane": pane, "session": session})


def _found(argv: list[str]) -> Identity:
    """The runner of a server that was killed before it could say where that is.

    Raises:
        EnvironmentFault: there is none.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := process.running(argv):
            return found
        time.sleep(0.05)
    message = "tmux: its server ended while it made a window"
    raise EnvironmentFault(message)


def attach(pane: str, session: str, run: int) -> list[str]:
    """The command that shows the pane of a run to a person.

    Raises:
        EnvironmentFault: the pane is gone.
    """
    if not re.fullmatch(r"%\d+", pane):  # tmux takes a `;` at the end for the next command
        message = f"{pane!r} is no pane\nthe log is there: nbbg logs {run}"
        raise EnvironmentFault(message)
    if _tmux("has-session", "-t", pane).returncode:
        message = f"the pane {pane} in {session} is gone\nthe log is there: nbbg logs {run}"
        raise EnvironmentFault(message)
    _tmux("select-window", "-t", pane)
    verb = "switch-client" if os.environ.get("TMUX") else "attach-session"
    return ["tmux", verb, "-t", pane]


def session_name(attempt: Path) -> str:
    """A name that tmux leaves as it is, and that no other project has."""
    return name_of(attempt.parents[2])


def name_of(batch: Path) -> str:
    """The session of the batch in that folder."""
    project = re.sub(r"[^A-Za-z0-9_-]", "_", batch.parents[2].name)
    short = hashlib.sha256(os.fsencode(batch.parent)).hexdigest()[:6]
    return f"nbbg-{project}-{short}-b{batch.name}"


def dead_sessions() -> set[str]:
    """The sessions in which no pane is alive any more; none where there is no tmux."""
    if shutil.which("tmux") is None:
        return set()
    told = _tmux("list-panes", "-a", "-F", "#{session_name} #{pane_dead}").stdout.splitlines()
    panes = [line.rpartition(" ") for line in told]
    return {name for name, _, _ in panes} - {name for name, _, dead in panes if dead != "1"}


def close(session: str) -> None:
    """End a session, with what its dead panes still show."""
    _tmux("kill-session", "-t", f"={session}")


def _tmux(*arguments: str) -> subprocess.CompletedProcess[str]:
    bare = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return subprocess.run(
        ["tmux", *arguments],
        env=bare,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


EXECUTOR = Tmux()
