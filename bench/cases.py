"""What is measured: each section makes its project, takes its figures, and returns a table."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import time
from typing import TYPE_CHECKING

from bench import place
from bench.measure import interleaved, ratio, spread, table
from nbbg import paths
from nbbg.store import batches

if TYPE_CHECKING:
    from pathlib import Path

    from bench.measure import Case

SIZES = (0, 1_000, 10_000)
ALIVE = (2, 20)
CALM = 10.0  # seconds over which the CPU time of waiting is counted
_STAMP = """import time
now = time.time()
import os
with open({path!r} + ".new", "w") as file:
    file.write(repr(now))
os.replace({path!r} + ".new", {path!r})
"""


def reading(top: Path) -> str:
    """How the time to read a store grows with it."""
    head = ("finished runs", "the first reading", "`python -c pass`", "`nbbg status`", "times")
    return table((*head, "`nbbg status --json b1`", "times"), [_reading(top, n) for n in SIZES])


def _reading(top: Path, size: int) -> tuple[str, ...]:
    where = place.make(top / f"runs-{size}" / "project")
    status = where.case(place.NBBG, "status")
    names: tuple[str, ...] = ()
    first = "-"
    if size:
        where.write("train", "print('accuracy', 0.97)")
        place.finish(where.batch("train", size), size)
        names, first = ("b1",), f"{1000 * status()[0]:.0f}"
    whole = where.case(place.NBBG, "status", "--json", *names)
    nothing = where.case(sys.executable, "-c", "pass")
    base, *others = interleaved({"pass": nothing, "status": status, "json": whole}).values()
    told = [text for goes in others for text in (spread(goes), ratio(goes, base))]
    return f"{size:,}", first, spread(base), *told


def launching(top: Path) -> str:
    """From the return key to the prompt, and to the first line of the user's code."""
    where = place.make(top / "launching" / "project")
    other, tmux = _other_environment(top / "other"), ("tmux", "-S", top / "tmux", "-f", "/dev/null")
    background = ("sh", "-c", f"nohup {sys.executable} -u nohup.py >/dev/null 2>&1 &")
    run = (place.NBBG, "run")
    cases = {
        "`nohup python -u script.py &`": _launch(where, "nohup", *background),
        "`nbbg run train.ipynb`": _launch(where, "train", *run, "train.ipynb"),
        "the same, in another environment": _launch(
            where, "far", *run, "far.ipynb", "--python", other
        ),
    }
    if shutil.which("tmux"):
        where.call(*tmux, "new-session", "-d", "sleep", "600")  # a server that is warm
        window = (*tmux, "new-session", "-d", f"{sys.executable} -u pane.py")
        cases["`tmux new -d python -u script.py`"] = _launch(where, "pane", *window)
    base, *_ = (taken := interleaved(cases)).values()
    if shutil.which("tmux"):
        where.call(*tmux, "kill-server")
    rows = [(n, spread(goes), spread(goes, 1), ratio(goes, base, 1)) for n, goes in taken.items()]
    return table(("", "prompt", "first line of user code", "times"), rows)


def _launch(where: place.Place, name: str, *argv: str | Path) -> Case:
    """Seconds to the prompt and to the first line; then until nothing of it is left."""
    stamp, records = where.root / f"{name}.stamp", where.root / paths.STORE / paths.BATCHES
    where.write(name, _STAMP.format(path=str(stamp)))

    def go() -> tuple[float, float]:
        began = time.time()
        where.call(*argv)
        prompt = time.time() - began
        place.until(stamp.exists)
        first = float(stamp.read_text()) - began
        stamp.unlink()
        place.until(lambda: not any(map(batches.supervisor_pid, records.glob("[0-9]*"))))
        time.sleep(0.1)
        return prompt, first

    return go


def _other_environment(folder: Path) -> Path:
    """An environment with the packages of nbbg's own, which a launch has to ask for them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def waiting(top: Path) -> str:
    """What a supervisor and one of its runners take while runs are alive."""
    head = ("", "runs alive", "VmRSS, MB", "PSS, MB", f"CPU in {CALM:.0f} s, ms")
    return table(head, [row for count in ALIVE for row in _waiting(top, count)])


def _waiting(top: Path, count: int) -> list[tuple[str, ...]]:
    where = place.make(top / f"alive-{count}" / "project")
    where.write("sleep", "import time\ntime.sleep(600)")
    many = ("--runs", str(count), "--jobs", str(count))
    where.call(place.NBBG, "run", "sleep.ipynb", *many)
    place.until(lambda: all(run["cell"] for run in where.status()["runs"]), nap=0.5)
    time.sleep(2)
    told = where.status()
    pids = {
        "supervisor": told["batches"][0]["supervisor_pid"],
        "a runner": told["runs"][0]["runner_pid"],
    }
    before = {pid: place.cpu_ms(pid) for pid in pids.values()}
    time.sleep(CALM)
    rows: list[tuple[str, ...]] = [
        (name, str(count), *place.memory(pid), f"{place.cpu_ms(pid) - before[pid]:.0f}")
        for name, pid in pids.items()
    ]
    where.call(place.NBBG, "stop", "b1")
    where.call(place.NBBG, "wait", "b1", code=1)
    return rows
