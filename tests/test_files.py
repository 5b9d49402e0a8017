"""Files that matter: a fact is whole or not there, is never replaced, and is its owner's alone."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg import files
from tests import records

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITE = """
import os, sys
from nbbg import files
with files.Folder(sys.argv[1]) as folder:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        folder.write_once("fact.json", files.to_json({"pid": os.getpid(), "data": "x" * 100_000}))
    except FileExistsError:
        sys.exit(3)
"""
KILLED_WHILE_IT_WRITES = """
import resource, signal, sys
from nbbg import files
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
files.Folder(sys.argv[1]).write_once("fact.json", b"x" * 100)
"""
WRITES = (
    "import sys; from nbbg import files; files.Folder(sys.argv[1]).write_once('fact.json', b'{}')"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[files.Folder]:
    """An open folder."""
    with files.Folder(tmp_path) as opened:
        yield opened


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """An umask: nothing taken away, the usual, everything."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_fact_is_never_replaced(folder: files.Folder) -> None:
    """The second writer of a fact is refused, and the first one's content stays."""
    folder.write_once("fact.json", b"first")
    with pytest.raises(FileExistsError):
        folder.write_once("fact.json", b"second")
    assert folder.read("fact.json") == b"first"
    assert os.listdir(folder.path) == ["fact.json"]


def test_of_many_writers_one_wins(tmp_path: Path) -> None:
    """Of processes that write the same fact at the same instant exactly one does, wholly."""
    writers = [records.start(WRITE, tmp_path) for _ in range(8)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    won = [writer.pid for writer in writers if not writer.wait(30)]
    for writer in writers:
        records.end(writer)
    assert len(won) == 1
    with files.Folder(tmp_path) as folder:
        assert folder.read_json("fact.json") == {"pid": won[0], "data": "x" * 100_000}
    assert os.listdir(tmp_path) == ["fact.json"]


def test_a_writer_that_dies_leaves_no_fact(tmp_path: Path) -> None:
    """What a killed writer left is no fact, and the next writer is not in its way.

    Each writer has a pid namespace of its own, as in containers, and so the same pid.
    """
    inside = ["unshare", "--pid", "--fork", "sh", "-c", '"$@"; exit $?', "sh"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no pid namespaces for this user")
    died = subprocess.run(
        [*inside, *records.python(KILLED_WHILE_IT_WRITES, tmp_path)],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert died.returncode == 128 + signal.SIGXFSZ
    (torn,) = os.listdir(tmp_path)
    assert torn.startswith(".")
    with files.Folder(tmp_path) as folder:
        assert not folder.exists("fact.json")
        assert folder.read_json("fact.json") is None
        subprocess.run([*inside, *records.python(WRITES, tmp_path)], check=True)
        assert folder.read_json("fact.json") == {}


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A disk that is full raises, and neither the fact nor a piece of it stays."""
    code = KILLED_WHILE_IT_WRITES.replace("SIG_DFL", "SIG_IGN")
    failed = subprocess.run(records.python(code, tmp_path), stderr=subprocess.PIPE, check=False)
    assert b"File too large" in failed.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("umask")
def test_everything_is_its_owners_alone(tmp_path: Path) -> None:
    """Files are 0600 and folders 0700, whatever the umask."""
    files.make_folder(tmp_path / "a" / "b")
    with files.Folder(tmp_path / "a" / "b") as folder:
        folder.write_once("fact", b"")
        folder.replace("view", b"")
        os.close(folder.open("log", os.O_WRONLY | os.O_CREAT))
    files.write_new(tmp_path / "a" / "b" / "new", b"")
    files.touch(tmp_path / "a" / "b" / "touched")
    assert {mode(path) for path in (tmp_path / "a" / "b").iterdir()} == {0o600}
    assert len(os.listdir(tmp_path / "a" / "b")) == 5
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


def test_an_open_file_is_closed_to_others(tmp_path: Path) -> None:
    """`touch` takes away what others were allowed, and keeps the content."""
    path = tmp_path / "index.db"
    path.write_bytes(b"kept")
    path.chmod(0o644)
    files.touch(path)
    assert (mode(path), path.read_bytes()) == (0o600, b"kept")


def test_a_folder_that_was_moved_is_the_same_folder(tmp_path: Path) -> None:
    """Files go to the folder that was opened, wherever it lies now."""
    (tmp_path / "before").mkdir()
    with files.Folder(tmp_path / "before") as folder:
        (tmp_path / "before").rename(tmp_path / "after")
        folder.write_once("fact", b"1")
        assert folder.read("fact") == (tmp_path / "after" / "fact").read_bytes() == b"1"


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"\0" * 40])
def test_a_record_that_is_none_is_named(folder: files.Folder, data: bytes) -> None:
    """What is there and is no JSON object is an error that names the file, not a missing one."""
    (Path(folder.path) / "result.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"^result\.json: "):
        folder.read_json("result.json")


def test_text_that_is_no_unicode_comes_back(folder: files.Folder) -> None:
    """Half a surrogate pair, as in an odd file name, NaN and infinity survive a record."""
    folder.write_once("fact.json", files.to_json({"name": "a\udcff", "value": float("inf")}))
    assert folder.read_json("fact.json") == {"name": "a\udcff", "value": float("inf")}


def test_torn_lines_are_skipped() -> None:
    """Of a `.jsonl` file every whole object is read, and nothing else."""
    data = b'{"a": 1}\n{"a": 2\n\n[3]\n\xff\n' + b"\0" * 64 + b'\n{"a": 4}\n{"a": 5'
    assert list(files.read_lines(data)) == [{"a": 1}, {"a": 4}]


def test_a_torn_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A line that is appended after a torn one is read."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"run": 1}\n{"run"')
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    files.append_line(fd, {"run": 2})
    files.append_line(fd, {"run": 3})
    os.close(fd)
    assert [line["run"] for line in files.read_lines(path.read_bytes())] == [1, 2, 3]


def test_strict_json_has_no_nan() -> None:
    """NaN and the infinities become text, however deep they lie."""
    value = {"a": [float("nan"), {"b": float("-inf")}], "c": (1.5, True, None)}
    assert files.strict(value) == {"a": ["nan", {"b": "-inf"}], "c": [1.5, True, None]}


def test_many_write_one_output_at_once(tmp_path: Path) -> None:
    """Each of those that write the same output at the same instant is kept, one under its name."""
    code = (
        "import sys; from nbbg.runner import outcome\n"
        "for i in range(25): outcome.put_beside_older(sys.argv[1], f'{sys.argv[2]}-{i}'.encode())"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "out.ipynb")]
    children = [subprocess.Popen([*words, str(number)]) for number in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    assert len({path.read_text() for path in tmp_path.iterdir()}) == 100


def test_many_files_are_made_durable_together(tmp_path: Path) -> None:
    """Files and folders, however many; one that is not there is an error, and the others are."""
    names = [tmp_path / str(number) for number in range(40)]
    for name in names:
        files.write_new(name, b"x", durable=False)
    files.fsync_all([*names, tmp_path])
    files.fsync_all([])
    with pytest.raises(FileNotFoundError, match="gone"):
        files.fsync_all([*names, tmp_path / "gone"])
