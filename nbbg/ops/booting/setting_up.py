"""Setting a project up to go on at boot, or taking that back; what was done, in sentences."""

from __future__ import annotations

import getpass
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault
from nbbg.ops.booting import crontab, order, systemd

if TYPE_CHECKING:
    from nbbg.ops.booting.order import Order
    from nbbg.ops.project import Project

_START_CRON = "start it, such as: service cron start"
AUTO, SYSTEMD, CRON, OFF = WAYS = ("auto", "systemd", "cron", "off")


@dataclass(frozen=True)
class Done:
    """What was done, and what is left to a person; nothing is where all is done."""

    said: list[str]
    left: list[str]


def how(project: Project) -> str:
    """How a project is set up already: `systemd`, `cron`, or nothing."""
    wanted = order.of(project, os.environ)
    if systemd.path_of(wanted, order.folder_of_units(os.environ)).exists():
        return SYSTEMD
    return CRON if crontab.is_here() and crontab.is_set_up(wanted) else ""


def left_to_do(way: str, machine: Path = Path("/")) -> list[str]:
    """Why what is set up would not start at boot, and what mends it; nothing where it would."""
    if way == CRON:
        if not crontab.is_at_work():
            return ["no cron daemon runs here, and it must, to start anything at boot", _START_CRON]
    elif not systemd.is_here(machine):
        why = "a unit of systemd is to go on after a reboot, and systemd does not run this machine"
        return [why, "nbbg resume --at-boot cron"]
    elif not systemd.lingers(user := _user(), machine):
        why = "after a reboot it goes on only when you log in: lingering is off"
        return [why, f"sudo loginctl enable-linger {user}"]
    return []


def set_up(project: Project, way: str) -> Done:
    """Have systemd or cron start what resumes the project at boot; twice is harmless.

    Raises:
        EnvironmentFault: there is neither, or it refuses.
    """
    wanted = order.of(project, os.environ)
    order.make_log(wanted)
    if way == AUTO:
        way = SYSTEMD if systemd.is_here() else CRON
    if way == CRON and not crontab.is_here():
        line = f"{shlex.join(wanted.argv)} >>{shlex.quote(str(wanted.log))} 2>&1"
        message = "there is neither systemd nor a crontab program here"
        raise EnvironmentFault(f"{message}\nhave this started at boot: {line}")
    done = _by_systemd(wanted) if way == SYSTEMD else _by_cron(wanted)
    done.said.extend(f"  {line}" for line in _take_away_other(wanted, way))
    done.said.append(f"  what it says at boot: {wanted.log}")
    done.said.append("  take it away: nbbg resume --at-boot off")
    return done


def take_away(project: Project) -> Done:
    """Take away what `set_up` has written, wherever it is."""
    wanted = order.of(project, os.environ)
    said = _take_away_other(wanted, CRON)
    if said and systemd.lingers(user := _user()):
        said.append(f"lingering stays on; off: loginctl disable-linger {user}")
    said += _take_away_other(wanted, SYSTEMD)
    return Done(said or ["nothing was set up to start at boot for this project"], [])


def _take_away_other(wanted: Order, way: str) -> list[str]:
    """Take away what was set up the other way: the project is resumed once."""
    folder = order.folder_of_units(os.environ)
    if way == CRON and systemd.take_away(wanted, folder):
        return [f"removed: {systemd.path_of(wanted, folder)}"]
    if way == SYSTEMD and crontab.is_here() and crontab.take_away(wanted):
        return ["removed: the line of this project in your crontab (crontab -l)"]
    return []


def _by_systemd(wanted: Order) -> Done:
    folder = order.folder_of_units(os.environ)
    try:
        if not systemd.is_set_up(wanted, folder):
            systemd.set_up(wanted, folder)
    except OSError as error:
        raise EnvironmentFault(f"{folder} can't be written: {error.strerror}") from error
    unit = systemd.path_of(wanted, folder)
    said = [f"at boot: {wanted.root} goes on", f"  the unit: {unit}"]
    said.append(f"  see it: systemctl --user status {wanted.name}")
    left = left_to_do(SYSTEMD) if not systemd.is_here() else []
    if not left and (why := systemd.linger(user := _user())):
        left = [f"it starts only when you log in: lingering is off, and was not to be had: {why}"]
        left.append(f"sudo loginctl enable-linger {user}")
    return Done(said, left)


def _by_cron(wanted: Order) -> Done:
    crontab.set_up(wanted)
    said = [f"at boot: {wanted.root} goes on", f"  the line: {crontab.line(wanted).decode()}"[:-1]]
    said.append("  see it: crontab -l")
    return Done(said, left_to_do(CRON))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
