"""Starts a Python kernel's process, before anything large is imported.

`PYTHON -m ipykernel_launcher`, whatever kernelspecs are installed. While it starts, this process
imports what speaks to it; so this module needs the standard library alone. They speak through
sockets in a folder that only its owner can enter.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from nbbg import paths

if TYPE_CHECKING:
    from nbbg.engines.kernel.task import Task

LONGEST = 80  # characters of a socket's path; the system takes about 100
_SOCKETS, PREFIX = "nbbg-", "k"  # names of their folder, and of each in it
NO_HISTORY = "--HistoryManager.hist_file=:memory:"  # SQLite in a shared home is slow, or hangs
_PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


class Spawned:
    """A kernel's process, or why there is none.

    Attributes:
        connection: its connection file.
        process: None where it could not be started.
        fault: why not.
    """

    def __init__(self, task: Task) -> None:
        self.connection = os.path.join(task.attempt, paths.CONNECTION)
        self.process: subprocess.Popen[bytes] | None = None
        self.fault = ""
        self._sockets = private_folder()
        _write(self.connection, os.path.join(self._sockets, PREFIX))
        command = [task.python, "-m", "ipykernel_launcher", "-f", self.connection, NO_HISTORY]
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "JPY_PARENT_PID": str(os.getpid())},  # it ends when we are dead
                pass_fds=tuple(task.held),
                start_new_session=True,
            )
        except OSError as error:
            self.fault = error.strerror or str(error)

    def clean(self) -> None:
        """Kill it if it lives; remove the connection file and the sockets."""
        if self.process:
            self.process.kill()
            self.process.wait()
        if os.path.exists(self.connection):
            os.unlink(self.connection)
        remove(self._sockets)


def private_folder() -> str:
    """A new folder for sockets, in a path that is short enough for them."""
    name = f"{_SOCKETS}{os.urandom(6).hex()}"
    path = os.path.join(os.environ.get("TMPDIR") or "/tmp", name)  # noqa: S108 - random, and 0700
    if len(path) > LONGEST or not os.access(os.path.dirname(path), os.W_OK):
        path = os.path.join("/tmp", name)  # noqa: S108 - the same
    os.mkdir(path, 0o700)
    return path


def remove(folder: str) -> None:
    """Remove a folder with the sockets in it."""
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)


def remove_left(attempt: str) -> None:
    """Remove what the engine of an attempt has left that was killed: its sockets, and their names.

    Args:
        attempt: its folder, of which no process lives any more.
    """
    connection = os.path.join(attempt, paths.CONNECTION)
    try:
        with open(connection, "rb") as file:
            folder, name = os.path.split(json.load(file)["ip"])
        if name == PREFIX and os.path.basename(folder).startswith(_SOCKETS):
            remove(folder)
        os.unlink(connection)
    except (OSError, ValueError, KeyError, TypeError):
        return  # there is nothing left, or nothing of ours


def _write(path: str, prefix: str) -> None:
    """Write the connection file."""
    content = {
        "transport": "ipc",
        "ip": prefix,
        **{name: number for number, name in enumerate(_PORTS, start=1)},
        "key": os.urandom(16).hex(),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "python3",
    }
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(content, file)
