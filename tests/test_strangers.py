"""Other users of the machine, and stores that somebody else has filled."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from nbbg.errors import EnvironmentFault
from nbbg.notebook.interpreters import places
from nbbg.store import shared
from tests import sample
from tests.fuzz.trial import Trial
from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
COMMANDS = [
    *("run train.ipynb", "run train.ipynb -n", "status", "show 1", "logs 1"),
    *("notebook 1 -o out.ipynb", "attach 1", "wait 1", "results", "diff 1 2", "stop b1"),
    *("pause b1", "resume", "retry 1", "retry --failed", "jobs b1 2", "restore 1 -o there"),
]
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Project]:
    """A project with a store in which nothing lives."""
    made = sample.place(tmp_path / "project", tmp_path / "home")
    made.write("train.ipynb", "1")
    yield made
    made.end_all()


def content(*folders: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder: its mode, and what is in it."""
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for folder in folders
        for path in (folder, *folder.rglob("*"))
    }


# Modes.


@pytest.mark.parametrize("umask", [0, 0o777])
def test_what_is_kept_is_the_users_alone(project: Project, umask: int) -> None:
    """Records, caches and locks are 0600 in folders of 0700, whatever the umask."""
    project.write(
        "train.ipynb", "import nbbg, helper\nnbbg.log(a=1)\nx = {1}\nnbbg.checkpoint_dir()"
    )
    project.write("again.ipynb", "1")
    (project.root / "helper.py").write_text("")
    temporary = project.home / "tmp"
    temporary.mkdir()
    project.environment |= {"TMPDIR": str(temporary), "NBBG_MACHINE_JOBS": "2"}
    project.environment["PYTHONDONTWRITEBYTECODE"] = ""
    before = os.umask(0)
    try:
        if umask != 0o777:  # the user's own files can be made then
            project.nbbg("run", "train.ipynb", "--results", "x", "--freeze", "tree", "--wait")
            os.umask(umask)
            project.nbbg("run", "again.ipynb", "--engine", "kernel", "--wait")
            project.nbbg("pair", "again.ipynb")
            project.nbbg("jobs", "b2", "3")
        os.umask(umask)
        project.nbbg(
            "run", "train.ipynb", "--results", "x", "--freeze", "tree", "--wait", code=None
        )
        project.nbbg("status")
    finally:
        os.umask(before)
    kept = [project.root / paths.STORE, project.home / ".cache/nbbg"]
    kept += [project.home / ".local/state/nbbg", *temporary.iterdir()]
    found = content(*(folder for folder in kept if folder.exists()))
    assert len(found) > 30
    open_to_others = {name: oct(mode) for name, (mode, _) in found.items() if mode & 0o077}
    assert open_to_others == {}


# Somebody else's.


@is_root
@pytest.mark.parametrize("what", ["", paths.BATCHES, paths.FORMAT])
def test_somebody_elses_store_is_refused_by_every_command(old: Project, what: str) -> None:
    """A store, or what lies at its top, of another user is neither read nor written."""
    os.chown(old.root / paths.STORE / what, NOBODY, -1)
    before = content(old.root, old.home)
    for command in COMMANDS if not what else ["status", "resume"]:
        done = old.nbbg(*command.split(), code=2)
        assert f"{paths.STORE}" in done.stderr, command
        assert "belongs to another user" in done.stderr, command
        assert len(done.stderr.splitlines()) == 2, done.stderr
        assert done.stdout == ""
    assert content(old.root, old.home) == before


@is_root
def test_another_user_is_refused() -> None:
    """Another user who can reach the project is told whose store it is."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        old = sample.place(Path(folder, "project"), Path(folder, "home"))
        for path in (Path(folder), old.root, old.root / paths.STORE):
            path.chmod(0o755)
        done = _as_nobody(old)
    assert (done.returncode, done.stdout) == (2, "")
    assert "belongs to another user" in done.stderr


# Once as its owner, to load what nobody else may be able to read where nbbg is installed.
_AS_NOBODY = f"""
import contextlib, io, os, sys
from nbbg import cli
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    cli.main(["status"])
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
sys.exit(cli.main(["status"]))
"""


def _as_nobody(old: Project) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-P", "-c", _AS_NOBODY],
        cwd=old.root,
        env=old.environ(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_store_that_others_may_write_is_refused(old: Project, mode: int) -> None:
    """What is in a store is executed: where others could have put it there, it says how to mend."""
    store = old.root / paths.STORE
    store.chmod(mode)
    before = content(old.root)
    for command in ("resume", "status"):
        assert "others may write" in old.nbbg(command, code=2).stderr
    said = old.nbbg("status", code=2).stderr
    assert content(old.root) == before
    subprocess.run(said.split(": ")[-1], shell=True, check=True)  # noqa: S602 - the line to type
    assert "train" in old.nbbg("status").stdout


def test_a_store_that_others_may_read_is_read(old: Project) -> None:
    """Who lets others look has said so; nothing can have been put there."""
    (old.root / paths.STORE).chmod(0o755)
    assert "train" in old.nbbg("status").stdout


@is_root
def test_caches_of_others_are_not_used(tmp_path: Path) -> None:
    """Interpreters that somebody else could have put into the cache are refused with a sentence."""
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    folder = places.cache(environment)
    folder.mkdir(parents=True)
    for mode, owner in ((0o777, os.geteuid()), (0o700, NOBODY)):
        folder.chmod(mode)
        os.chown(folder, owner, -1)
        with pytest.raises(EnvironmentFault, match="XDG_CACHE_HOME"):
            places.cache(environment)
    slots = shared.folder(environment)
    assert slots.is_relative_to(tmp_path)
    os.chown(slots, NOBODY, -1)
    assert not shared.folder(environment).is_relative_to(tmp_path)


# Links.


@pytest.mark.parametrize(
    "place",
    [
        *("batches", "format", "index.db", "pairs"),
        *("batches/1", "batches/1/runs", "batches/1/runs/1", "batches/1/runs/1/1"),
        *("batches/1/batch.json", "batches/1/plan.jsonl", "batches/1/events.jsonl"),
        *("batches/1/supervisor.lock", "batches/1/supervisor.log", "batches/1/runs/1/1/log.txt"),
        *("batches/1/runs/1/1/cells.jsonl", "batches/1/runs/1/1/result.json"),
        *("batches/1/runs/1/1/process.json", "batches/1/runs/1/1/results/table.json"),
        *("batches/1/runs/1/1/results",),
        *("batches/1/runs/1/1/results/odd.pickle", "batches/1/runs/1/1/metrics.jsonl"),
    ],
)
def test_links_in_a_store_do_not_lead_out(
    old: Project, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is a link to a file of mine shows nothing of it, and writes nothing into it."""
    path, mine = old.root / paths.STORE / place, tmp_path / "mine"
    if path.is_dir():
        path.rename(mine)
        (mine / "private.txt").write_text("PRIVATE")
    else:
        path.unlink(missing_ok=True)
        mine.write_text('{"PRIVATE": 1, "state": "PRIVATE"}\n')
    path.symlink_to(mine)
    before = content(mine)
    monkeypatch.chdir(old.root)
    monkeypatch.setenv("HOME", str(old.home))
    trial, said = Trial(old.root, old.home), ""
    for command in (
        *("status", "status --json", "show 1", "logs 1", "logs 1 -n 1", "notebook 1 -o -"),
        *("results", "show 1 --result table", "show 1 --result odd --trust", "stop b1", "retry 1"),
        *("wait 1 --timeout 1", "jobs b1 2", "pause b1"),
    ):
        said += trial.answer(*command.split())[1]
    assert "PRIVATE" not in said.replace(str(mine), "")
    old.end_all()
    assert content(mine) == before


def test_a_pipe_in_the_place_of_a_record_is_not_waited_for(old: Project) -> None:
    """A pipe that nobody writes to holds up no reader."""
    batch = old.root / paths.STORE / "batches/1"
    for name in ("runs/1/1/result.json", "runs/2/1/cells.jsonl", "runs/3/1/log.txt"):
        (batch / name).unlink()
        os.mkfifo(batch / name)
    for command in ("status", "show 1", "logs 3", "notebook 2 -o -", "results"):
        assert "Traceback" not in old.nbbg(*command.split(), code=None, timeout=20).stderr
    (batch / "batch.json").unlink()
    os.mkfifo(batch / "batch.json")
    assert "Traceback" not in old.nbbg("status", code=None, timeout=20).stderr


def test_a_record_does_not_write_outside(old: Project, tmp_path: Path) -> None:
    """Paths in a record lead out neither of the batch nor of a folder that was named by hand."""
    path = old.root / paths.STORE / "batches/1/batch.json"
    text = path.read_text()
    path.write_text(text.replace('"frozen/train.ipynb"', '"../../../../train.ipynb"'))
    assert "outside of the batch" in old.nbbg("status").stderr
    path.write_text(text.replace('"notebook": "train.ipynb"', '"notebook": "../../up/train.ipynb"'))
    old.nbbg("restore", "1", "-o", "a/b")
    assert (old.root / "a/b/train.ipynb").exists()
    assert not list(tmp_path.rglob("up"))
