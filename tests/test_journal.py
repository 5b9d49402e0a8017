"""The journal: one whole line an event, whatever happens to the disk or to another line."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import files, journal
from tests import records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = """
import os, resource, signal, sys
from nbbg import journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
made = journal.Journal(fd)
made.write("cell", ordinal=1)
for size in (os.fstat(fd).st_size + 20, os.fstat(fd).st_size + 20):  # a piece fits, then nothing
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    made.write("display", output={"data": "x" * 100})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
made.write("cell_end", status="ok")
made.write("end", status="succeeded")
print(made.dropped)
"""

WRITES_ITS_END = """
import os, sys
from nbbg import journal
made = journal.Journal(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND))
made.write("display", output={})
print("ready", flush=True)
made.write("end", status="succeeded")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[files.Folder]:
    """The folder of an attempt."""
    with files.Folder(tmp_path) as opened:
        yield opened


def write(folder: files.Folder, *kinds: str, size: int = 0) -> None:
    """Append events, each with its number."""
    fd = folder.open("cells.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    made = journal.Journal(fd)
    for number, kind in enumerate(kinds):
        made.write(kind, number=number, filling="x" * size)
    os.close(fd)


def test_a_full_disk_costs_no_later_event(tmp_path: Path, folder: files.Folder) -> None:
    """What can't be written is dropped and counted, and spoils no event that comes after it."""
    done = subprocess.run(
        records.python(FULL, tmp_path / "cells.jsonl"), capture_output=True, text=True, check=True
    )
    assert done.stdout == "2\n"
    kinds = [event["event"] for event in journal.read(folder, "cells.jsonl")]
    assert kinds == ["cell", "cell_end", "end"]


def test_the_end_waits_for_room(tmp_path: Path) -> None:
    """On a full disk an event is dropped; the notebook's end is written when there is room."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        path = tmp_path / "cells.jsonl"
        path.touch()
        with pytest.raises(OSError, match="No space"):
            files.write_new(tmp_path / "filling", bytes(1 << 20))
        child = records.start(WRITES_ITS_END, path)
        assert path.read_bytes() == b""
        (tmp_path / "filling").unlink()
        child.communicate()
        (end,) = files.read_lines(path.read_bytes())
        assert (end["event"], end["dropped"]) == ("end", 1)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize("size", [0, 1000, journal.BLOCK - 40, journal.BLOCK + 1])
def test_the_last_of_a_kind(folder: files.Folder, size: int) -> None:
    """The last event of a kind is found wherever it is, however long the lines after it."""
    write(folder, "cell", "stream", "cell", "cell_end", "stream", "stream", size=size)
    for kind, number in (("cell", 2), ("cell_end", 3), ("stream", 5)):
        found = journal.find_last(folder, "cells.jsonl", kind)
        assert found is not None
        assert found["number"] == number
    assert journal.find_last(folder, "cells.jsonl", "end") is None
    assert journal.find_last(folder, "nothing", "end") is None


def test_the_last_whole_one_counts(tmp_path: Path, folder: files.Folder) -> None:
    """A torn event, and one that a user's own output quotes, are not taken for it."""
    write(folder, "cell", "stream")
    quoted = (
        b'{"event":"display","output":{"data":{"application/json":{"event":"cell","number":7}}}}\n'
    )
    with (tmp_path / "cells.jsonl").open("ab") as file:
        file.write(quoted + b'{"event":"cell","number":8')
    found = journal.find_last(folder, "cells.jsonl", "cell")
    assert found is not None
    assert found["number"] == 0


def test_a_long_journal_is_searched_quickly(folder: files.Folder) -> None:
    """Behind a million lines of a progress bar the running cell is found in well under a second."""
    write(folder, "cell")
    fd = folder.open("cells.jsonl", os.O_WRONLY | os.O_APPEND)
    line = files.to_line({"event": "stream", "time": 0.5, "name": "stderr", "log": [10, 20]})
    files.write_all(fd, line * 1_000_000)
    os.close(fd)
    before = time.process_time()
    assert journal.find_last(folder, "cells.jsonl", "cell") is not None
    assert time.process_time() - before < 1


def test_head(folder: files.Folder) -> None:
    """The first events are read without what lies behind them."""
    write(folder, "engine", *["stream"] * 5000, "end")
    head = journal.read_head(folder, "cells.jsonl")
    assert head[0]["event"] == "engine"
    assert len(head) < 2000
    assert journal.first(head, "stream") == head[1]
    assert journal.first(head, "end") is None
    assert journal.read_head(folder, "nothing") == []
