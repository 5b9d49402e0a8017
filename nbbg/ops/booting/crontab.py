"""The `@reboot` line of a project in the user's crontab; every other line stays byte for byte."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from nbbg import process
from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from nbbg.ops.booting.order import Order

SECONDS = 20.0  # that crontab may take
_DAEMONS = (b"cron", b"crond", b"fcron", b"busybox", b"dcron", b"cronie")
_NONE = b"no crontab for"


def is_here() -> bool:
    """Whether there is a `crontab` program."""
    return shutil.which("crontab") is not None


def is_at_work() -> bool:
    """Whether a cron daemon can be seen; who starts nothing can't start it at boot either."""
    names = (process.name(each.identity.pid) for each in process.processes())
    return any(name in _DAEMONS for name in names)


def line(order: Order) -> bytes:
    """The line; cron takes a bare `%` for a line end, and the mark is a comment to the shell."""
    command = f"{shlex.join(order.argv)} >>{shlex.quote(str(order.log))} 2>&1 # {order.name}"
    return b"@reboot " + os.fsencode(command.replace("%", "\\%")) + b"\n"


def is_set_up(order: Order) -> bool:
    """Whether the line is there, as it must be."""
    return line(order) in _read().splitlines(keepends=True)


def set_up(order: Order) -> None:
    """Put the line in, instead of an older one of the project.

    Raises:
        EnvironmentFault: crontab refuses it.
    """
    before = _read()
    if is_set_up(order):
        return
    others = _others(order, before)
    joint = b"\n" if others and not others.endswith(b"\n") else b""
    _write(others + joint + line(order))


def take_away(order: Order) -> bool:
    """Take the line out; whether there was one.

    Raises:
        EnvironmentFault: crontab refuses it.
    """
    before = _read()
    others = _others(order, before)
    if others == before:
        return False
    _write(others)
    return True


def _others(order: Order, text: bytes) -> bytes:
    mark = f"# {order.name}".encode()
    lines = text.splitlines(keepends=True)
    return b"".join(each for each in lines if not each.rstrip(b"\n").endswith(mark))


def _read() -> bytes:
    done = _crontab("-l")
    if done.returncode == 0:
        return done.stdout
    if _NONE in done.stderr:
        return b""
    raise _refused(done)


def _write(text: bytes) -> None:
    done = _crontab("-", given=text) if text else _crontab("-r")
    if done.returncode != 0:
        raise _refused(done)


def _crontab(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["crontab", *arguments],
            input=given,
            capture_output=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"crontab can't be asked: {error}") from error


def _refused(done: subprocess.CompletedProcess[bytes]) -> EnvironmentFault:
    words = done.stderr.decode(errors="replace").strip()
    return EnvironmentFault(f"crontab: {words or f'exit code {done.returncode}'}; nothing changed")
