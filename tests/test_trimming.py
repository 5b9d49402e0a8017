"""`--log-max`: a run that prints without end fills no disk, and its log says what is left out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg import files, holes, journal, logs, paths, secrets
from nbbg.runner.trimming import Trimming
from tests.project import until

if TYPE_CHECKING:
    from tests.project import Project

SCALE = int(os.environ.get("NBBG_FLOOD", "1"))  # 100: gigabytes
LIMIT = 1_000_000
MARK = "left out here: --log-max]"
PYTHON = """
line = "x" * 90
for i in range(COUNT):
    print(i, line)
"""
CHILD = """
import subprocess
subprocess.run("yes abcdefgh | head -c SIZE", shell=True, check=False, stderr=subprocess.DEVNULL)
"""
C_CODE = """
import ctypes
libc = ctypes.CDLL(None)
for i in range(COUNT // 10):
    libc.write(1, b"c" * 999 + b"\\n", 1000)
"""


def taken(path: Path) -> int:
    """What a file takes on the disk."""
    return path.stat().st_blocks * 512


def punch(path: Path, start: int, end: int) -> None:
    """Free a part of a file."""
    with path.open("r+b") as file:
        holes.free(file.fileno(), start, end)


@pytest.mark.parametrize(
    ("engine", "flood"),
    [("ipython", PYTHON), ("kernel", CHILD), ("plain", C_CODE), ("ipython", CHILD)],
)
def test_a_flood(project: Project, engine: str, flood: str) -> None:
    """Head and tail of what Python, C code or a child prints are kept, and the gap is told."""
    size = 12_000_000 * SCALE
    limit = LIMIT * SCALE
    code = flood.replace("COUNT", str(size // 100)).replace("SIZE", str(size))
    project.write("flood.ipynb", f"print('first', flush=True)\n{code}\nprint('last')")
    project.nbbg("run", "flood.ipynb", "--engine", engine, "--log-max", str(limit))
    log = project.root / ".nbbg/batches/1/runs/1/1/log.txt"
    most = 0

    def ended() -> bool:
        nonlocal most
        most = max(most, taken(log)) if log.exists() else 0
        return (log.parent / paths.RESULT).exists()

    until(ended, 110)
    print(f"most: {most / limit:.2f} of the limit")  # noqa: T201 - a figure for whoever scales up
    assert project.state(1) == "succeeded"
    assert log.stat().st_size > 0.9 * size
    assert taken(log) <= limit
    for words in (["logs", "1"], ["logs", "1", "--raw"], ["logs", "1", "-f"]):
        text = project.nbbg(*words).stdout
        assert text.startswith("first\n")
        assert text.endswith("last\n")
        assert text.count(MARK) == 1
        assert "\0" not in text
        assert len(text) < 1.1 * limit
    assert project.nbbg("logs", "1", "-n", "2").stdout.endswith("last\n")
    if engine != "plain":
        outputs = project.executed(1)["cells"][0]["outputs"]
        text = "".join(output.get("text", "") for output in outputs)
        assert "left out here; what is left of it: nbbg logs 1]" in text
        assert "last\n" in text
        assert "\0" not in text


def test_a_flood_of_the_journal(project: Project) -> None:
    """A journal of very many displays keeps within the limit, and every cell's begin and end."""
    shown = "from IPython.display import display\nfor i in range(20000): display(i)"
    project.write("many.ipynb", "print('one')", shown, "print('three')", shown, "print('five')")
    project.nbbg("run", "many.ipynb", "--log-max", str(LIMIT))
    project.nbbg("wait", "1")
    assert taken(project.attempt(1) / paths.CELLS) < 1.2 * LIMIT
    cells = project.executed(1)["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4, 5]
    assert [cells[at]["outputs"][0]["text"] for at in (0, 2, 4)] == ["one\n", "three\n", "five\n"]
    assert all(c["metadata"]["papermill"]["status"] == "completed" for c in cells)
    assert cells[3]["outputs"][-1]["data"]["text/plain"] == "19999"
    assert "its journal was cut" in project.nbbg("notebook", "1", "-o", "-").stderr
    run = project.run(1)
    assert (run["cell"], run["cells"]) == (5, 5)


def test_never_more_than_the_limit(tmp_path: Path) -> None:
    """With each step the file takes no more than the limit, and its ends are what they were."""
    whole = b"".join(b"%09d\n" % number for number in range(1_000_000))
    log = tmp_path / paths.LOG
    with files.Folder(tmp_path) as folder, log.open("ab", buffering=0) as file:
        trimming = Trimming(folder, LIMIT)
        for step, at in enumerate(range(0, len(whole), 60_000)):
            file.write(whole[at : at + 60_000])
            trimming.step(float(step + 1))
            assert taken(log) <= LIMIT + 60_000
    read = b"".join(logs.follow(log, 0, lambda: True))
    head, mark, tail = read.partition(b"[nbbg: ")
    assert whole.startswith(head.removesuffix(b"\n"))
    assert len(head) >= 0.4 * LIMIT
    assert mark
    assert whole.endswith(tail.split(b"]\n", 1)[1])
    assert len(tail) >= 0.2 * LIMIT


def test_in_a_flood_it_is_looked_at_more_often(tmp_path: Path) -> None:
    """A log that stands still costs no look; the faster it grows, the sooner the next one comes."""
    with files.Folder(tmp_path) as folder:
        assert Trimming(folder, 0).step(1.0) > 10
        trimming = Trimming(folder, LIMIT)
        assert trimming.step(1.0) > 10
        log = tmp_path / paths.LOG
        log.write_bytes(b"1" * 1000)
        assert trimming.step(2.0) > 10
        assert trimming.step(3.0) > 10
        log.write_bytes(b"1" * 2_000_000)
        assert trimming.step(4.0) < 0.5


def test_where_nothing_can_be_freed(tmp_path: Path) -> None:
    """Where the middle can't be freed the log stays whole, and a record says why."""
    program = shutil.which("sleep")
    assert program
    log = tmp_path / paths.LOG
    log.write_bytes(Path(program).read_bytes() + bytes(4 * LIMIT))  # nobody may write a program
    log.chmod(0o700)
    with files.Folder(tmp_path) as folder, subprocess.Popen([log, "60"]) as child:
        try:
            trimming = Trimming(folder, LIMIT)
            trimming.step(1.0)
            trimming.step(2.0)
            assert folder.read_json(paths.TRIMMING) == {"file": "log.txt", "why": "Text file busy"}
        finally:
            child.kill()
    assert taken(log) > 4 * LIMIT


def test_a_reader_that_is_overtaken(tmp_path: Path) -> None:
    """What is freed while somebody reads is told as left out, never as zeros."""
    log = tmp_path / "log.txt"
    log.write_bytes(b"a" * 8_000_000 + b"end\n")
    pieces = logs.follow(log, 0, lambda: True)
    first = next(pieces)
    punch(log, 2 << 20, 6 << 20)
    rest = b"".join(pieces)
    assert b"\0" not in rest
    assert rest.count(MARK.encode()) == 1
    assert first.count(b"a") + rest.count(b"a") < 8_000_000
    assert rest.endswith(b"aend\n")


def test_a_copy_without_holes(tmp_path: Path) -> None:
    """A copy that has zeros in place of the hole reads as the log itself."""
    log, copy = tmp_path / "log.txt", tmp_path / "copy.txt"
    log.write_bytes(b"begin\n" + b"x" * 200_000 + b"\nend\n")
    punch(log, 8192, 8192 * 20)
    copy.write_bytes(log.read_bytes())
    assert taken(copy) > taken(log)
    texts = [b"".join(logs.follow(path, 0, lambda: True)) for path in (log, copy)]
    assert texts[0] == texts[1]
    assert b"[nbbg: 155.6 kB left out here" in texts[0]
    assert logs.tail(copy, 1) == logs.tail(log, 1) == b"end\n"
    assert logs.tail(log, 2).endswith(b"x\nend\n")


def test_a_journal_with_holes(tmp_path: Path) -> None:
    """Of a journal with holes every whole line is read, forwards and backwards, and no half one."""
    path = tmp_path / paths.CELLS
    lines = [files.to_line({"event": "stream", "n": n, "pad": "p" * 80}) for n in range(2000)]
    lines[3] = files.to_line({"event": "cell", "n": 3})
    path.write_bytes(b"".join(lines))
    punch(path, 8192, 65536)
    punch(path, 81920, 90112)
    with path.open("rb") as file:
        found = list(holes.lines(file, 1 << 20))
    assert set(found) <= set(lines)
    lost = len(lines) - len(found)
    assert 0 < lost < (65536 - 8192 + 8192) / len(lines[5]) + 5
    with files.Folder(tmp_path) as folder:
        last = journal.find_last(folder, paths.CELLS, "cell")
        assert last
        assert last["n"] == 3


def test_secrets_of_a_log_with_holes(tmp_path: Path) -> None:
    """To hide a secret behind a hole of a terabyte, the hole is not read."""
    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        file.write(b"the-secret")
        file.seek(1 << 40)
        file.write(b"the-secret\n")
    with log.open("r+b") as file:
        secrets.overwrite(file.fileno(), [b"the-secret"])
    assert logs.tail(log, 1).endswith(b"]\n" + b"*" * 10 + b"\n")
    text = b"".join(logs.follow(log, 0, lambda: True))
    assert text.startswith(b"*" * 10)
    assert b"1099.5 GB left out" in text


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_memory_of_following_a_long_log(tmp_path: Path, ending: bytes) -> None:
    """Following a log of any length, also of one line, needs little memory."""
    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        for _ in range(40 * SCALE):
            file.write((b"y" * 99 + (ending or b"y")) * 10_000)
    code = (
        "import resource, sys\nfrom nbbg import logs, secrets\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "pieces = secrets.mask_pieces(logs.follow(sys.argv[1], 0, lambda: True), [b'the-secret'])\n"
        "texts = logs.readable(pieces, live=True)\n"
        "size = sum(map(len, texts))\n"
        "print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, log], capture_output=True, check=True)
    size, kilobytes = map(int, done.stdout.split())
    assert size == 40_000_000 * SCALE
    assert kilobytes < 30_000
