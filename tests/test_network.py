"""A project on a network file system: the index, the state there, and other machines that look."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg.errors import EnvironmentFault
from nbbg.store import database, filesystem, shared
from tests import records
from tests.network import mounted, needs_sshfs, on_another_machine
from tests.project import LONG, Project, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Project]:
    """A project whose folder is on a network file system."""
    (tmp_path / "server" / "project" / ".git").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    with mounted(tmp_path / "server", tmp_path / "net") as net:
        project = Project(net / "project", tmp_path / "home")
        yield project
        project.end_all()


def state_elsewhere(project: Project, number: int, name: str = "another") -> str:
    """A run's state, as another machine sees it."""
    told = on_another_machine(project, "status", "--json", str(number), name=name)
    return str(json.loads(told)["runs"][0]["state"])


@needs_sshfs
def test_runs_on_the_network_are_seen_by_two_machines(remote: Project) -> None:
    """Here running, there unknown; killed: here lost, there unknown; ended: the same for both."""
    remote.write("long.ipynb", LONG)
    remote.write("short.ipynb", "print(1)")
    assert "network file system" in remote.nbbg("run", "long.ipynb").stderr
    remote.until_running(1)
    assert state_elsewhere(remote, 1) == "unknown"
    # A clone has our name and our machine-id: what has begun since we were started is not ours.
    assert state_elsewhere(remote, 1, name=os.uname().nodename) == "unknown"
    remote.end_all()
    until(lambda: remote.state(1) == "lost")
    assert state_elsewhere(remote, 1) == "unknown"
    assert "network file system" not in remote.nbbg("run", "short.ipynb", "--wait").stderr
    assert remote.state(2) == state_elsewhere(remote, 2) == "succeeded"


@needs_sshfs
def test_the_index_of_a_store_on_the_network_is_local(remote: Project) -> None:
    """It is in the cache folder, for its owner alone; `doctor` says so; a new store has its own."""
    remote.write("a.ipynb", "1")
    remote.nbbg("run", "a.ipynb", "--runs", "2", "--wait")
    folder = remote.home / ".cache/nbbg/index"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (index,) = folder.glob("*.db")
    assert not (remote.root / ".nbbg/index.db").exists()
    said = remote.nbbg("doctor", "--json")
    (network,) = [f for f in json.loads(said.stdout)["checks"] if f["check"] == "network"]
    assert network["level"] == "warning"
    assert "fuse.sshfs" in network["what"]
    assert str(index) in network["what"]
    (remote.root / ".nbbg").rename(remote.root / "old")
    os.utime(remote.root / "old/format", (1, 1))
    (remote.root / "old").rename(remote.root / ".nbbg")
    assert len(remote.runs()) == 2
    assert len(list(folder.glob("*.db"))) == 2


def test_a_person_can_say_what_the_type_does_not(project: Project) -> None:
    """With `network_file_system = true` a local disk is treated as a network's, by all programs."""
    (project.root / "pyproject.toml").write_text("[tool.nbbg]\nnetwork_file_system = true\n")
    project.write("a.ipynb", LONG)
    assert "network file system" in project.nbbg("run", "a.ipynb").stderr
    project.until_running(1)
    assert list((project.home / ".cache/nbbg/index").glob("*.db"))
    assert not (project.root / ".nbbg/index.db").exists()
    pid = project.supervisor()
    assert pid is not None
    given = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"{filesystem.VARIABLE}=true".encode() in given
    project.end_all()  # pid and start time decide, since the lock is not trusted
    assert project.state(1) == "lost"
    project.environment["NBBG_NETWORK_FILE_SYSTEM"] = "perhaps"
    assert "must be true, false or auto" in project.nbbg("run", "a.ipynb", code=2).stderr


def test_an_attempt_of_an_earlier_boot_is_lost_after_a_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network: lost when it began before our boot, and its log is silent for 90 s."""
    monkeypatch.setenv(filesystem.VARIABLE, "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    store = records.make_store(tmp_path / "project")
    records.publish(store)
    with records.an_attempt(store) as attempt:
        attempt.claim(hold=False, boot=records.EARLIER_BOOT, at=1.0)
        attempt.print(b"alive\n")
        assert attempt.state().word == "unknown"
        attempt.write("stop.json", {"by": "you", "at": 1.0})
        assert attempt.state().word == "unknown"  # it may be at its end just now
        os.utime(attempt.path / "log.txt", (1, 1))
        assert attempt.state().word == "stopped"
        (attempt.path / "stop.json").unlink()
        assert attempt.state().word == "lost"


def test_a_cache_that_is_a_stranger_s_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that others can open, or that is a link, holds no index: it is in /tmp then."""
    monkeypatch.setenv(filesystem.VARIABLE, "true")
    store = records.make_store(tmp_path / "project")
    folder = tmp_path / "cache/nbbg/index"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(EnvironmentFault):
        shared.private(folder)
    index = database.path_of(store)
    assert not index.is_relative_to(tmp_path)
    database.open_for(store).close()
    assert index.exists()
    index.unlink()
    with contextlib.suppress(OSError):  # another program's is in it
        index.parent.rmdir()
    assert not list(folder.iterdir())
