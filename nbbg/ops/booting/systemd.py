"""The user unit that resumes a project at boot; it needs lingering, so that it starts at boot.

The unit is enabled by its link in `default.target.wants`, as `systemctl --user enable` does it, but
without a user manager that answers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files

if TYPE_CHECKING:
    from nbbg.ops.booting.order import Order

SECONDS = 20.0  # that systemd may take to answer
WANTS = "default.target.wants"


def is_here(root: Path = Path("/")) -> bool:
    """Whether systemd runs this machine; `root` is where /run lies."""
    return (root / "run/systemd/system").is_dir()


def unit(order: Order) -> str:
    """The text of the unit.

    Type, mode and policy matter: the supervisors that it starts go on when it is done, and when
    it is stopped; and one run that the kernel ends for memory must not take the others along.
    """
    return f"""# Written by: nbbg resume --at-boot   Taken away by: nbbg resume --at-boot off
[Unit]
Description=nbbg: what a reboot took away in {_specifiers(str(order.root))}

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=process
OOMPolicy=continue
ExecStart={" ".join(_quoted(word) for word in order.argv)}
StandardOutput=append:{_specifiers(str(order.log))}
StandardError=inherit

[Install]
WantedBy=default.target
"""


def path_of(order: Order, folder: Path) -> Path:
    """Where the unit lies in the folder of units."""
    return folder / f"{order.name}.service"


def is_set_up(order: Order, folder: Path) -> bool:
    """Whether the unit is there, as it must be, and enabled."""
    path = path_of(order, folder)
    try:
        return path.read_text() == unit(order) and (folder / WANTS / path.name).exists()
    except OSError:
        return False


def set_up(order: Order, folder: Path) -> None:
    """Write and enable the unit.

    Raises:
        OSError: the folder can't be written.
    """
    path = path_of(order, folder)
    (folder / WANTS).mkdir(parents=True, exist_ok=True)
    with files.Folder(folder) as opened:
        opened.replace(path.name, unit(order).encode(), 0o644)
    link = folder / WANTS / path.name
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(path)
    _reload()


def take_away(order: Order, folder: Path) -> bool:
    """Remove the unit; whether there was one. What it has started goes on."""
    path = path_of(order, folder)
    there = path.exists()
    for each in (folder / WANTS / path.name, path):
        with contextlib.suppress(FileNotFoundError):
            each.unlink()
    if there:
        _reload()
    return there


def lingers(user: str, root: Path = Path("/")) -> bool:
    """Whether the user's units start at boot, and stay after a logout."""
    return (root / "var/lib/systemd/linger" / user).exists()


def linger(user: str) -> str:
    """Have this user's units start at boot; why that was not possible, or nothing."""
    if lingers(user):
        return ""
    if shutil.which("loginctl") is None:
        return "there is no loginctl here"
    done = _ask("loginctl", "--no-ask-password", "enable-linger", user)
    if done and done.returncode == 0:
        return ""
    words = done.stderr.strip().splitlines() if done else []
    return words[-1] if words else "no answer"


def _reload() -> None:
    """Have a user manager that is at work read its units again; else it does so at boot."""
    if shutil.which("systemctl"):
        _ask("systemctl", "--user", "daemon-reload")


def _ask(*argv: str) -> subprocess.CompletedProcess[str] | None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(
            argv,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    return None


def _quoted(word: str) -> str:
    """One word of a command line, of which systemd takes nothing for its own."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_specifiers(text)}"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")
