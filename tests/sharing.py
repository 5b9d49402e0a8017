"""Notebooks that tell how many of them are at work at the same instant, and what they were given.

Each one writes, under a lock, a line when it begins and one when it ends. As it begins it looks
which of those that have not ended are alive; so also what was killed counts as long as it lives.
"""

from __future__ import annotations

import collections
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

HEAD = """
import fcntl, json, os, time

def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False

def stamp(kind):
    with open(os.environ["STAMPS"], "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = [json.loads(line) for line in file]
        ended = {line["pid"] for line in lines if line["kind"] == "end"}
        beside = [line["pid"] for line in lines if line["pid"] not in ended]
        file.write(json.dumps({
            "kind": kind, "pid": os.getpid(), "run": int(os.environ["NBBG_RUN_ID"]),
            "root": os.getcwd(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "order": os.environ.get("CUDA_DEVICE_ORDER"),
            "threads": os.environ["OMP_NUM_THREADS"],
            "beside": [pid for pid in set(beside) if is_alive(pid) and pid != os.getpid()],
        }) + "\\n")
"""

MEET = """
def met():
    with open(os.environ["STAMPS"]) as file:
        lines = [json.loads(line) for line in file if line.endswith("\\n")]
    begun = [line for line in lines if line["kind"] == "begin"]
    mine = any(line["beside"] for line in begun if line["pid"] == os.getpid())
    return mine or len(begun) >= TOTAL or any(os.getpid() in line["beside"] for line in begun)

deadline = time.monotonic() + 40
while not met():
    assert time.monotonic() < deadline, "nobody else was at work"
    time.sleep(0.05)
time.sleep(0.2)
"""


def meet(total: int) -> str:
    """Work that ends when another was at work beside it, or it is the last of so many."""
    return MEET.replace("TOTAL", str(total))


def cells(work: str) -> tuple[str, ...]:
    """A notebook that does this work between its two stamps."""
    return HEAD, 'stamp("begin")', work, 'stamp("end")'


def read(path: Path) -> list[Json]:
    """All stamps, in the order in which they were written."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def begun(path: Path) -> list[Json]:
    """Those of the beginnings."""
    return [line for line in read(path) if line["kind"] == "begin"]


def most(path: Path) -> dict[str | None, int]:
    """The largest number that were at work at one instant: on each GPU, and (None) in all."""
    lines = begun(path)
    on = {line["pid"]: line["gpu"] for line in lines}
    found: collections.Counter[str | None] = collections.Counter()
    for line in lines:
        beside = [on[pid] for pid in line["beside"]]
        found[None] = max(found[None], 1 + len(beside))
        if line["gpu"] is not None:
            found[line["gpu"]] = max(found[line["gpu"]], 1 + beside.count(line["gpu"]))
    return dict(found)


def environment(path: Path) -> dict[str, str]:
    """What the runs must be given to find the file."""
    return {"STAMPS": os.fspath(path)}
