"""`nbbg resume --at-boot`: what is written for systemd and cron, and what happens at a boot."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import paths
from nbbg.ops.booting import crontab, order, systemd
from tests import records
from tests.project import LONG, PYTHON, Project, until

if TYPE_CHECKING:
    from pathlib import Path

SPOOL = "/var/spool/cron/crontabs"
FOREIGN = b"# mine\n\n*/5 * * * *\techo '100\\% mine' \xe9 # nbbg-resume-other\n@reboot  true   \n"


@pytest.fixture
def odd(tmp_path: Path) -> Project:
    """A project whose path has what shells, systemd and cron take for their own."""
    root, home = tmp_path / "a 100% $odd \"one\" 'x'", tmp_path / "home"
    for folder in (root, root / ".git", home):
        folder.mkdir(parents=True)
    return Project(root, home)


def unit_of(project: Project) -> Path:
    """The project's unit."""
    (unit,) = (project.home / ".config/systemd/user").glob("*.service")
    return unit


def command_of(project: Project) -> list[str]:
    """What the unit starts, read as systemd reads it."""
    line = next(x for x in unit_of(project).read_text().splitlines() if x.startswith("ExecStart="))
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line[10:])]


def boot(project: Project) -> str:
    """Start what the unit holds, with as little around it as at a boot; what it says."""
    done = subprocess.run(
        command_of(project),
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def by_systemd(project: Project, code: int = 1) -> str:
    """Set it up; without a loginctl in PATH, since lingering is this machine's own."""
    project.environment["PATH"] = "/nowhere"
    done = project.nbbg("resume", "--at-boot", "systemd", code=code)
    del project.environment["PATH"]
    return done.stdout + done.stderr


def lose(project: Project) -> None:
    """Every process ends, and the records are those of an earlier boot."""
    project.end_all()
    for name in (paths.PROCESS, paths.TICKET):
        for file in project.root.glob(f".nbbg/batches/*/runs/*/*/{name}"):
            record = json.loads(file.read_bytes())
            file.write_text(json.dumps({**record, "boot": records.EARLIER_BOOT}))


def with_crontab(spool: Path, *argv: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command that sees `spool` where crontabs are kept, and so no real one."""
    script = f'mount --bind "$0" {SPOOL} && exec "$@"'
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        ["unshare", "--mount", *root, "sh", "-c", script, str(spool), *argv],
        capture_output=True,
        check=False,
        timeout=60,
        **more,
    )
    return done


def test_the_unit_is_written_enabled_and_taken_away(odd: Project) -> None:
    """Twice leaves one unit and one link, `off` leaves nothing, and a second `off` is harmless."""
    said = by_systemd(odd)
    assert by_systemd(odd) == said
    unit = unit_of(odd)
    link = unit.parent / "default.target.wants" / unit.name
    assert link.resolve() == unit.resolve()
    assert str(unit) in said
    here = os.path.isdir("/run/systemd/system")
    assert ("sudo loginctl enable-linger" if here else "systemd does not run this machine") in said
    odd.nbbg("resume", "--at-boot", "off")
    assert not unit.exists()
    assert not link.is_symlink()
    assert "nothing was set up" in odd.nbbg("resume", "--at-boot", "off").stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_has_nothing_against_the_unit(odd: Project) -> None:
    """`systemd-analyze verify` is content, also with a path that has quotes, `$` and `%`."""
    by_systemd(odd)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit_of(odd)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not shutil.which("crontab"), reason="needs cron")
def test_the_other_lines_of_a_crontab_stay_byte_for_byte(odd: Project, tmp_path: Path) -> None:
    """The line comes and goes; what was there before, other projects' too, is as it was."""
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o1730)
    assert with_crontab(spool, "crontab", "-", input=FOREIGN).returncode == 0

    def at_boot(*way: str) -> str:
        argv = [PYTHON, "-P", "-m", "nbbg", "resume", "--at-boot", *way]
        done = with_crontab(spool, *argv, env=odd.environ(), cwd=odd.root)
        assert done.returncode in (0, 1), done.stderr  # 1: no cron daemon runs here
        return done.stdout.decode()

    for _ in range(2):
        assert "crontab -l" in at_boot("cron")
        text = with_crontab(spool, "crontab", "-l").stdout
        assert text.startswith(FOREIGN)
        assert text.count(b"\n") == FOREIGN.count(b"\n") + 1
    at_boot("off")
    assert with_crontab(spool, "crontab", "-l").stdout == FOREIGN
    assert "nothing was set up" in at_boot("off")


def test_cron_runs_the_same_words(odd: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell reads the line that cron hands it, the words are those of the order."""
    monkeypatch.chdir(odd.root)
    monkeypatch.setenv("HOME", str(odd.home))
    from nbbg.ops import project

    wanted = order.of(project.here(), os.environ)
    line = crontab.line(wanted).decode().removeprefix("@reboot ").replace("\\%", "%")
    words, _, log = line.partition(" >>")
    printed = subprocess.check_output(["sh", "-c", f"printf '%s\\n' {words}"], text=True)
    assert printed.splitlines() == list(wanted.argv)
    assert log.startswith(shlex.quote(str(wanted.log)))


def test_a_boot_takes_up_what_it_took_away_and_no_more(project: Project) -> None:
    """What ran and what waited goes on, a stopped batch does not; lost twice, a run is left."""
    project.write("train.ipynb", LONG)
    project.write("other.ipynb", LONG)
    project.nbbg("run", "train.ipynb", "--runs", "2")
    project.nbbg("run", "other.ipynb")
    project.until_running(1)
    project.until_running(3)
    project.nbbg("stop", "b2", "--after-run")
    by_systemd(project)
    lose(project)
    said = boot(project)
    assert "going on: run 1 of b1" in said
    assert "left: b2, stopped by" in said
    until(lambda: project.run(1)["attempt"] == 2 and project.state(1) == "running")
    assert project.state(3) == "lost"
    assert "going on: b1" in boot(project)  # 2 waits; what runs is left alone
    assert project.run(1)["attempt"] == 2
    lose(project)
    said = boot(project)
    assert "left: run 1, lost with the machine twice in a row: nbbg resume 1" in said
    until(lambda: project.state(2) == "running")
    assert project.state(1) == "lost"
    project.nbbg("resume", "1")
    until(lambda: project.run(1)["attempt"] == 3)


def test_a_project_that_is_gone_harms_nothing(project: Project) -> None:
    """At boot the unit of a moved project says so, and writes nothing where the project was."""
    project.write("a.ipynb", "1")
    project.nbbg("run", "a.ipynb", "--wait")
    by_systemd(project)
    moved = project.root.rename(project.root.parent / "elsewhere")
    said = boot(project)
    assert said.startswith("2\n")
    assert f"{project.root} is gone; nothing was resumed" in said
    assert not project.root.exists()
    moved.rename(project.root)


def test_lingering_is_read_from_the_machine(tmp_path: Path) -> None:
    """A user lingers when systemd has a file of that name, and systemd is there when it has run."""
    assert not systemd.lingers("me", tmp_path)
    assert not systemd.is_here(tmp_path)
    (tmp_path / "var/lib/systemd/linger").mkdir(parents=True)
    (tmp_path / "var/lib/systemd/linger/me").touch()
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert systemd.lingers("me", tmp_path)
    assert systemd.is_here(tmp_path)
