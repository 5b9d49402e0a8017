"""The recorder: every byte in the right cell and stream, whoever writes it; little memory."""

from __future__ import annotations

import os
import re
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import files, journal, paths
from nbbg.inside.recorder import LIVE_ONLY, Recorder
from nbbg.inside.streams import text_layer
from tests.records import quick_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.project import Project

Json = dict[str, Any]
FLOOD = """
import ctypes, logging, os, subprocess, sys, threading, time, warnings
print("<cell 0>")
libc, held = ctypes.CDLL(None), ctypes.PyDLL(None)
count = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo child $i; done"
child = subprocess.Popen(["sh", "-c", count])
def c_code():
    for i in range(1000):
        libc.printf(b"<c %d>", i)
        libc.write(1, b"<w %d>" % i, len(b"<w %d>" % i))
def talk():
    for i in range(1000):
        sys.stdout.write(f"<o {i}>"); sys.stderr.write(f"<e {i}>")
threads = [threading.Thread(target=work) for work in (c_code, talk)]
for thread in threads: thread.start()
held.usleep(300_000)
for thread in threads: thread.join()
child.wait();
"""
OTHERS = """
print("<cell 1>")
print("to __stdout__", file=sys.__stdout__)
os.write(1, b"to 1\\n")
subprocess.run(["echo", "from a program"])
logging.warning("logged"); warnings.warn("warned")
import faulthandler; faulthandler.dump_traceback(file=2, all_threads=False)
import multiprocessing
def say(word): print(f"from a child by {word}", flush=True)
child = multiprocessing.get_context("fork").Process(target=say, args=["fork"])
child.start(); child.join()
child = multiprocessing.get_context("spawn").Process(target=print, args=["from a child by spawn"])
child.start(); child.join()
if os.fork() == 0:
    libc.printf(b"C in a child"); os._exit(0)
os.wait()
late = threading.Event()
def go_on(): late.wait(60); print("a thread of an earlier cell")
thread = threading.Thread(target=go_on); thread.start()
"""
LAST = """
print("<cell 2>")
late.set(); thread.join()
"""


@pytest.fixture
def recorder() -> Iterator[tuple[Recorder, files.Folder]]:
    """A recorder and its folder, in memory."""
    with quick_folder() as path, files.Folder(path) as folder:
        made = Recorder(folder)
        yield made, folder
        made.close()


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_every_byte_is_in_its_cell(project: Project, engine: str) -> None:
    """Of Python, C code and children that flood the log at once, also while C holds the GIL."""
    project.write("flood.ipynb", FLOOD, OTHERS, LAST)
    project.nbbg("run", "flood.ipynb", "--engine", engine, "--wait")
    flood, others, last = (streams(cell) for cell in project.executed(1)["cells"])
    for kind in "ocw":
        for number in range(1000):
            assert flood["stdout"].count(f"<{kind} {number}>") == 1
    assert flood["stderr"] == "".join(f"<e {number}>" for number in range(1000))
    assert re.findall(r"child (\d+)", flood["stdout"]) == [str(i) for i in range(1, 20001)]
    for each in ("<cell 1>", "to __stdout__", "to 1", "from a program", "C in a child"):
        assert others["stdout"].count(each) == 1
    for each in ("from a child by fork", "from a child by spawn", "most recent call first"):
        assert others["stdout"].count(each) == 1
    assert "logged" in others["stderr"]
    assert "UserWarning: warned" in others["stderr"]
    assert last == {"stdout": "<cell 2>\na thread of an earlier cell\n"}
    names = [event.get("name") for event in events(project, 1) if event["event"] == "stream"]
    assert set(names) == {"stderr"}


def streams(cell: Json) -> dict[str, str]:
    """The text of each stream."""
    found: dict[str, str] = {}
    for output in cell["outputs"]:
        found[output["name"]] = found.get(output["name"], "") + output["text"]
    return found


def events(project: Project, run: int) -> list[Json]:
    """The journal of a run."""
    with files.Folder(project.attempt(run)) as folder:
        return journal.read(folder, paths.CELLS)


def test_messages_of_any_kernel(recorder: tuple[Recorder, files.Folder]) -> None:
    """What a kernel's messages show is recorded as what a shell shows; the malformed is ignored."""
    made, folder = recorder
    data = {"text/plain": "x", LIVE_ONLY: {"model_id": 1}}
    made.take("stream", {"name": "stdout", "text": "out"})
    made.take("stream", {"name": "stderr", "text": "err\udcff"})
    made.take("display_data", {"data": data, "transient": {"display_id": "h"}})
    made.take("execute_result", {"data": data, "metadata": {}, "execution_count": 3})
    made.take("update_display_data", {"data": {"a": b"\0"}, "transient": {"display_id": "h"}})
    made.take("clear_output", {"wait": True})
    made.take("error", {"ename": "E", "evalue": "v", "traceback": ["t"]})
    for malformed in ({}, {"data": None}, {"transient": 3}, {"name": 1, "text": None}):
        for kind in ("stream", "display_data", "error", "status"):
            made.take(kind, malformed)
    shown = {"data": {"text/plain": "x"}, "metadata": {}}
    at = len("outerr\\udcff")
    expected: list[Json] = [
        {"event": "stream", "name": "stderr", "log": [3, at]},
        {
            "event": "display",
            "output": {"output_type": "display_data", **shown},
            "display_id": "h",
        },
        {
            "event": "display",
            "output": {"output_type": "execute_result", **shown, "execution_count": 3},
            "display_id": None,
        },
        {"event": "update", "display_id": "h", "data": {"a": "AA=="}, "metadata": {}},
        {"event": "clear", "wait": True},
        {
            "event": "display",
            "output": {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]},
            "display_id": None,
        },
    ]
    found = [{**event, "time": 0} for event in journal.read(folder, paths.CELLS)]
    assert found == [{"log": at, **event, "time": 0} for event in expected]


def test_a_stream_of_any_buffer(recorder: tuple[Recorder, files.Folder]) -> None:
    """Bytes of every kind are taken, what is no buffer is refused, and nothing closes it."""
    made, folder = recorder
    for data in (b"a", bytearray(b"b"), memoryview(b"cxd")[::2]):
        made.out.write(data)
    with pytest.raises(TypeError):
        made.out.write("text")
    made.out.close()
    print("e", file=text_layer(made.out))
    assert folder.read(paths.LOG) == b"abcde\n"


def test_threads_that_print_at_once(recorder: tuple[Recorder, files.Folder]) -> None:
    """No write is lost or torn, and each range is that of one write."""
    made, folder = recorder

    def talk(name: str) -> None:
        for number in range(300):
            made.text("stderr", f"[{name}{number}]")
            made.text("stdout", f"({name}{number})")

    threads = [threading.Thread(target=talk, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = folder.read(paths.LOG) or b""
    ranges = [log[slice(*event["log"])] for event in journal.read(folder, paths.CELLS)]
    texts = [f"{name}{number}".encode() for name in "abcd" for number in range(300)]
    assert sorted(ranges) == sorted(b"[%s]" % text for text in texts)
    assert all(log.count(b"(%s)" % text) == 1 for text in texts)


def test_nothing_is_kept_in_memory(
    recorder: tuple[Recorder, files.Folder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is printed and shown, the recorder is as small as before."""
    made, _ = recorder
    monkeypatch.setenv("MY_TOKEN", "a" * 20)
    big = "ba" * 5_000_000
    bundle = {"data": {"text/html": big}, "metadata": {}}
    tracemalloc.start()
    try:
        for number in range(5000):
            made.text("stdout", f"line {number}\n")
            made.text("stderr", f"line {number} a")
        made.text("stdout", big)
        made.display("display_data", bundle)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 100_000


def test_a_forked_child_is_silent(recorder: tuple[Recorder, files.Folder]) -> None:
    """It journals nothing, and what it prints goes to its own standard output."""
    made, folder = recorder
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writing, 2)
        made.in_forked_child()
        made.text("stderr", "child")
        made.event("end")
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    assert os.read(reading, 100) == b"child"
    os.close(reading)
    assert journal.read(folder, paths.CELLS) == []
