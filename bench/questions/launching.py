"""From the return key to the prompt, and to the first line of the user's code."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import time
from typing import TYPE_CHECKING

from bench import place, tables
from bench.measure import SECONDS, Case
from nbbg import paths
from nbbg.store import batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures
    from bench.pictures import Drawing

TITLE = "Launching"
KEY, FIRST = "launching", "first"
NOTHING, NOHUP = "`python -c pass`", "`nohup python -u script.py &`"
RUN, SCRIPT = "`nbbg run train.ipynb`", "`nbbg run train.py`"
_STAMP = """import time
now = time.time()
import os
with open({path!r} + ".new", "w") as file:
    file.write(repr(now))
os.replace({path!r} + ".new", {path!r})
"""
_TEXT = """\
The project is a git repository with one commit. Another environment than nbbg's own is started once
to ask whether it has IPython. A `.py` pays for jupytext's import. Between the prompt and the first
line a supervisor, a runner and IPython start.

{rows}

{how}
"""


def measure(bench: Bench) -> None:
    """The prompt, and the first line."""
    if bench.is_done(KEY):
        return
    where = place.make(bench.top / "launching" / "project")
    other = _other_environment(bench.top / "other")
    tmux = ("tmux", "-S", str(bench.top / "tmux"), "-f", "/dev/null")
    run = (str(place.NBBG), "run")
    cases = {
        NOTHING: where.case(sys.executable, "-c", "pass", typed="python -c pass"),
        NOHUP: _launch(where, "nohup", "sh", "-c", _nohup("nohup.py")),
        RUN: _launch(where, "train", *run, "train.ipynb"),
        SCRIPT: _launch(where, "script", *run, "script.py"),
        "the same, in another environment": _launch(
            where, "far", *run, "far.ipynb", "--python", str(other)
        ),
    }
    if bench.peers.has("task-spooler"):
        spool = f"TS_SOCKET={where.root}/tsp tsp {sys.executable} -u spooled.py"
        cases["`tsp python -u script.py`"] = _launch(where, "spooled", "sh", "-c", spool)
    if bench.peers.has("tmux"):
        where.call(*tmux, "new-session", "-d", "sleep", "600")  # a server that is warm
        window = (*tmux, "new-session", "-d", f"{sys.executable} -u pane.py")
        cases["`tmux new -d python -u script.py`"] = _launch(where, "pane", *window)
    bench.take(KEY, cases)
    if bench.peers.has("tmux"):
        where.call(*tmux, "kill-server")


def _nohup(script: str) -> str:
    return f"nohup {sys.executable} -u {script} >/dev/null 2>&1 &"


def _launch(where: place.Place, name: str, *argv: str) -> Case:
    """Seconds to the prompt and to the first line; then until nothing of it is left."""
    stamp, records = where.root / f"{name}.stamp", where.root / paths.STORE / paths.BATCHES
    where.write(name, _STAMP.format(path=str(stamp)))
    if argv[-1].endswith(".py"):
        (where.root / f"{name}.ipynb").unlink()  # a script alone

    def go() -> Figures:
        began = time.time()
        where.call(*argv)
        prompt = time.time() - began
        place.until(stamp.exists)
        first = float(stamp.read_text()) - began
        stamp.unlink()
        place.until(lambda: not any(map(batches.supervisor_pid, records.glob("[0-9]*"))))
        time.sleep(0.1)
        return {SECONDS: prompt, FIRST: first}

    return Case(go, _typed(where, argv))


def _typed(where: place.Place, argv: Sequence[str]) -> str:
    text = argv[-1] if argv[0] == "sh" else place.type_of(*argv)
    for real, said in ((f"TS_SOCKET={where.root}/tsp ", ""), (sys.executable, "python")):
        text = text.replace(real, said)
    return text.replace(f"{where.root.parents[1]}/", "")


def _other_environment(folder: Path) -> Path:
    """An environment with the packages of nbbg's own, which a launch has to ask for them."""
    if folder.exists():
        shutil.rmtree(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def tell(kept: Kept) -> str:
    """A table: prompt and first line."""
    table = kept.table(KEY)
    head = ("", "prompt, ms", f"times {NOTHING}", "first line of your code, ms", f"times {NOHUP}")
    rows = [
        (
            name,
            tables.spread(row.middle()),
            tables.spread(table.ratio(name, NOTHING), times=True),
            tables.spread(row.middle(FIRST)),
            tables.spread(table.ratio(name, NOHUP, FIRST), times=True),
        )
        for name, row in table.rows.items()
    ]
    return _TEXT.format(rows=tables.markdown(head, rows), how=tables.how(table))


def draw(_kept: Kept) -> list[Drawing]:
    """None: the aims' picture has what matters."""
    return []
