"""Where the store lies, how it is made, and when it is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nbbg import files, paths
from nbbg.errors import StoreError
from nbbg.store import filesystem, place, runs
from tests import records


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, by way of a link, as on machines where /home is one."""
    (tmp_path / "disk" / "me").mkdir(parents=True)
    (tmp_path / "home").symlink_to("disk")
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    return tmp_path / "disk" / "me"


def made(folder: Path, *marks: str) -> Path:
    """A folder with files in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for mark in marks:
        (folder / mark).parent.mkdir(exist_ok=True)
        (folder / mark).touch()
    return folder


def test_a_store_goes_before_a_repository(home: Path) -> None:
    """The nearest store is the project's, although a nearer folder has `.git`."""
    outer = made(home / "a", ".nbbg/format")
    inner = made(outer / "b", ".git")
    assert place.find_root(made(inner / "c")) == outer


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_a_repository_is_a_project(home: Path, mark: str) -> None:
    """Without a store the nearest repository or pyproject.toml says where the project is."""
    made(home / "a", ".git")
    root = made(home / "a" / "b", mark)
    assert place.find_root(made(root / "c" / "d")) == root


def test_a_store_that_is_not_whole_is_none(home: Path) -> None:
    """A `.nbbg` without `format` does not make a project."""
    made(home / "a", ".nbbg/index.db")
    folder = made(home / "a" / "b")
    assert place.find_root(folder) == folder


def test_else_it_is_the_current_folder(home: Path) -> None:
    """Where nothing says otherwise the project is where the command is typed."""
    assert place.find_root(made(home / "a" / "b")) == home / "a" / "b"


def test_not_past_home(home: Path) -> None:
    """A store above the home folder is not this user's; one in the home folder is."""
    made(home.parent, ".nbbg/format", ".git")
    folder = made(home / "a")
    assert place.find_root(folder) == folder
    made(home, ".git")
    assert place.find_root(folder) == home
    assert place.find_root(home) == home


def test_not_past_a_mount(home: Path) -> None:
    """A repository on the file system above is not the project of what is mounted below."""
    outer = made(home / "a", ".git")
    folder = made(outer / "mounted")
    if subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        assert place.find_root(made(folder / "b")) == folder / "b"
    finally:
        subprocess.run(["umount", folder], check=True)
    assert place.find_root(made(folder / "b")) == outer


def test_a_new_store_is_whole(tmp_path: Path) -> None:
    """A store has its format and ignores itself in git; making it again changes nothing."""
    store = records.make_store(tmp_path / "project")
    place.make(store)
    assert sorted(os.listdir(store.folder)) == [".gitignore", "batches", "format"]
    assert (store.folder / ".gitignore").read_text() == "*\n"
    assert {path.stat().st_mode & 0o777 for path in (store.folder, store.batches)} == {0o700}
    assert place.open_store(store.root).exists()


def test_half_a_store_is_finished(tmp_path: Path) -> None:
    """What a launch that died while it made the store has left is made whole by the next."""
    files.make_folder(tmp_path / paths.STORE / paths.BATCHES)
    store = place.open_store(tmp_path)
    assert not store.exists()
    place.make(store)
    assert store.exists()


@pytest.mark.parametrize("text", ["", "two", "1 2", "\udcff"])
def test_a_format_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """A store whose format can't be read is refused, and left as it is."""
    store = records.make_store(tmp_path / "project")
    path = store.folder / paths.FORMAT
    path.write_bytes(os.fsencode(text))
    with pytest.raises(StoreError, match="can't be read"):
        place.open_store(store.root)
    assert path.read_bytes() == os.fsencode(text)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A store of a newer nbbg is refused with what to type."""
    store = records.make_store(tmp_path / "project")
    (store.folder / paths.FORMAT).write_text("2\n")
    with pytest.raises(StoreError, match=r"newer nbbg.*\nupgrade: pip"):
        place.open_store(store.root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_store_is_refused(tmp_path: Path) -> None:
    """A store that another user owns is neither read nor written."""
    store = records.make_store(tmp_path / "project")
    os.chown(store.folder, 65534, -1)
    with pytest.raises(StoreError, match="belongs to another user"):
        place.open_store(store.root)


def test_a_store_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    """Where the store can't be written the sentence names the place and the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"can't be written: .*\nset `store`"):
        place.make(place.open_store(tmp_path, "file/store"))


def test_a_store_may_lie_elsewhere(tmp_path: Path, home: Path) -> None:
    """`store` is relative to the project, absolute, or in the home folder."""
    folders = [place.open_store(tmp_path, name).folder for name in ("a/b", "/c", "~/d")]
    assert [folder.resolve() for folder in folders] == [tmp_path / "a/b", Path("/c"), home / "d"]


def test_other_names_are_no_batches(tmp_path: Path) -> None:
    """Launches in the making and what a person puts there have no number."""
    store = records.make_store(tmp_path / "project")
    for name in ("2", "10", ".new-1", "3 (copy)", "notes"):
        (store.batches / name).mkdir()
    assert store.batch_numbers() == [2, 10]


def test_attempts_are_counted_up(tmp_path: Path) -> None:
    """Of two that want the same next attempt one makes it; its folder is its owner's alone."""
    store = records.make_store(tmp_path / "project")
    records.publish(store)
    assert runs.newest_attempt(store.run(1, 1)) == 0
    path = runs.new_attempt(store, 1, 1, 1)
    with pytest.raises(FileExistsError):
        runs.new_attempt(store, 1, 1, 1)
    assert runs.open_attempt(store, 1, 1) == (1, path)
    assert runs.new_attempt(store, 1, 1, 2) == path.with_name("2")
    assert runs.open_attempt(store, 1, 1) == (2, path.with_name("2"))
    assert path.stat().st_mode & 0o777 == 0o700


def test_local_disks_are_told_from_the_network(tmp_path: Path) -> None:
    """A local folder, a tmpfs and /proc are no network file systems."""
    assert not filesystem.is_network(tmp_path)
    assert not filesystem.is_network("/proc")
