"""A store as it was written once, with every state in it: made here, and read for ever after.

`tests/data/store-1/` was made by `python -m tests.sample` when the format was 1. What is of one
machine stands in it under names of no machine (`/home/you/project`, `this-host`), which `place`
fills in for a test. It is not made again unless the format changes: that old records stay readable
is the very promise that it is there for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import paths, process
from tests.project import PYTHON, Project, until

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = Path(__file__).parent / "data" / "store-1"
STORE, GUEST, ANSWERS = DATA / "store", DATA / "guest.zip", DATA / "answers.json"
ROOT, HOME, INTERPRETER = "/home/you/project", "/home/you", "/opt/python/bin/python"
HOST, MACHINE, BOOT = "this-host", "this-machine", "00000000-0000-0000-0000-000000000000"
ELSEWHERE = "another-host"
RUNS = 15
_LEFT = (paths.INDEX, paths.GITIGNORE, paths.LOCK, paths.SUPERVISOR_LOCK, paths.SUPERVISOR_LOG)
_CACHE = "__pycache__"

TRAIN = """import os, nbbg, helper
from IPython.display import HTML, display
print("lr", lr, "number", os.environ["RUN_NUMBER"])
display(HTML("<b>shown</b>"))
nbbg.log(loss=lr * 2, step=1)
nbbg.log(loss=lr, step=2)
table = {"rows": [1, 2, lr]}
odd = {1, 2}
if os.environ["RUN_NUMBER"] == "2" and os.environ["NBBG_ATTEMPT"] == "1":
    raise ValueError("the first attempt fails")
helper.double(lr)"""
ENDINGS = {
    "failing": "print('before')\n1 / 0",
    "exiting": "import sys\nprint('out')\nsys.exit(3)",
    "killed": "import os, signal\nprint('last words')\nos.kill(os.getpid(), signal.SIGKILL)",
    "slow": "import time\nprint('begins')\ntime.sleep(100)",
}
LONG = "import time\nprint('works')\ntime.sleep(100)"


def place(root: Path, home: Path) -> Project:
    """The sample as the store of a project here, where its notebooks can be executed again."""
    for folder in (root / ".git", home):
        folder.mkdir(parents=True)
    store = root / paths.STORE
    here = {
        ROOT.encode(): os.fsencode(root),
        INTERPRETER.encode(): PYTHON.encode(),
        HOST.encode(): process.host().encode(),
        MACHINE.encode(): process.machine().encode(),
    }
    for source in sorted(STORE.rglob("*")):
        target = store / source.relative_to(STORE)
        if source.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_replaced(source, here))
    for batch in (store / paths.BATCHES).iterdir():
        shutil.unpack_archive(GUEST, batch / paths.GUEST)
        (batch / paths.SUPERVISOR_LOCK).touch()
    for path in (store, *store.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    (root / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    return Project(root, home)


def answers(project: Project) -> dict[str, Any]:
    """What each reader says of the sample."""
    ids = [str(number) for number in range(1, RUNS + 1)]
    asked = {
        "status": ("status", "--json", *ids),
        "results": ("results", "--json", *ids),
        **{f"show {number}": ("show", number, "--json") for number in ids},
        **{f"logs {number}": ("logs", number) for number in ids},
        **{f"notebook {number}": ("notebook", number, "-o", "-") for number in ids},
        "first log": ("logs", "3", "--attempt", "1"),
        "result": ("show", "1", "--result", "table"),
        "pickle": ("show", "1", "--result", "odd", "--trust"),
    }
    return {name: _answer(project, words) for name, words in asked.items()}


def _answer(project: Project, words: tuple[str, ...]) -> Any:
    done = project.nbbg(*words, code=None)
    said = done.stdout or done.stderr
    for real, neutral in (
        (str(project.root), ROOT),
        (PYTHON, INTERPRETER),
        (process.host(), HOST),
    ):
        said = re.sub(rf"(?<![\w-]){re.escape(real)}(?![\w-])", neutral, said)
    try:
        return json.loads(said)
    except ValueError:
        return said.splitlines()


def make() -> None:
    """Make the sample anew, from real runs."""
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "project"), Path(folder, "home")
        for path in (root / ".git", home):
            path.mkdir(parents=True)
        project = Project(root, home)
        try:
            _launch(project)
        finally:
            project.end_all()
        shutil.rmtree(DATA, ignore_errors=True)
        _keep(project)
    with tempfile.TemporaryDirectory() as folder:
        placed = place(Path(folder, "project"), Path(folder, "home"))
        ANSWERS.write_text(json.dumps(answers(placed), indent=1, ensure_ascii=False) + "\n")


def _launch(project: Project) -> None:
    (project.root / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    project.write("train.ipynb", TRAIN, parameters="lr = 0.1  # rate")
    project.nbbg(
        *("run", "train.ipynb", "-p", "lr=0.1,0.01", "--runs", "2", "--results", "table,odd"),
        *(
            "--retries",
            "1",
            "--retry-delay",
            "0",
            "--freeze",
            "tree",
            "--note",
            "a sweep",
            "--wait",
        ),
    )  # b1: 1 to 4
    for name, source in ENDINGS.items():
        project.write(f"{name}.ipynb", source)
    names = [f"{name}.ipynb" for name in ENDINGS]
    project.nbbg("run", *names, "--timeout", "3s", "--grace", "0.5", "--wait", code=1)  # b2: 5 to 8
    project.write("long.ipynb", LONG)
    project.nbbg("run", "long.ipynb", "--runs", "3", "-j", "2", "--grace", "0.5")  # b3: 9 to 11
    for number in (9, 10):
        project.until_running(number, "works")
    supervisor = project.supervisor("b3")
    assert supervisor
    os.kill(supervisor, 9)
    project.nbbg("stop", "10")
    for pid in (project.run(9)["runner_pid"], project.run(9)["pid"]):
        os.kill(pid, 9)
    project.nbbg("run", "long.ipynb", "--name", "away")  # b4: 12
    project.until_running(12, "works")
    project.end_all()
    project.write("pl.ipynb", "print('plain')")
    project.nbbg("run", "pl.ipynb", "--engine", "plain", "--wait")  # b5: 13
    project.nbbg("run", "pl.ipynb", "--engine", "kernel", "--name", "kernel", "--wait")  # b6: 14
    many = [{"lr": number} for number in range(101)]
    (project.root / "many.json").write_text(json.dumps(many))
    project.write("many.ipynb", LONG, parameters="lr = 0")
    project.nbbg("run", "many.ipynb", "-f", "many.json", "--grace", "0.1")  # b7: 15 to 115
    project.until_running(15, "works")
    project.nbbg("jobs", "b7", "2")
    project.nbbg("pause", "b7")
    project.nbbg("stop", "b7")
    until(lambda: project.supervisor("b7") is None)


def _keep(project: Project) -> None:
    store = project.root / paths.STORE
    guest = store / paths.BATCHES / "1" / paths.GUEST
    with tempfile.TemporaryDirectory() as folder:
        kept = shutil.copytree(guest, f"{folder}/guest", ignore=shutil.ignore_patterns(_CACHE))
        shutil.make_archive(str(GUEST.with_suffix("")), "zip", kept)
    neutral = {
        os.fsencode(project.root): ROOT.encode(),
        os.fsencode(project.home): HOME.encode(),
        PYTHON.encode(): INTERPRETER.encode(),
        os.fsencode(Path(__file__).parents[1]): b"/opt/nbbg",
        os.fsencode(sys.prefix): b"/opt/python",
        process.boot_id().encode(): BOOT.encode(),
    }
    for source in store.rglob("*"):
        name = source.relative_to(store)
        left = source.name in _LEFT or {paths.GUEST, _CACHE} & {*name.parts}
        if source.is_file() and not left:
            target = STORE / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_of_no_machine(source, neutral))


def _of_no_machine(source: Path, neutral: Mapping[bytes, bytes]) -> bytes:
    data = _replaced(source, neutral)
    host = ELSEWHERE if "/batches/4/runs/" in str(source) else HOST
    data = re.sub(rb'"host": ?"[^"]*"', b'"host":"%s"' % host.encode(), data)
    data = re.sub(rb'"machine": ?"[^"]*"', b'"machine":"%s"' % MACHINE.encode(), data)
    data = re.sub(rb'"by": ?"[^"]*"', b'"by":"you@this-host"', data)
    if source.name == paths.BATCH:
        record = json.loads(data)
        record["facts"]["environment"] = {"LANG": "C.UTF-8"}
        record["command"][0] = "nbbg"
        data = json.dumps(record).encode()
    if source.name == paths.PACKAGES:
        data = json.dumps({INTERPRETER: {"ipython": "8.30.0", "numpy": "2.0.0"}}).encode()
    return data


def _replaced(source: Path, what: Mapping[bytes, bytes]) -> bytes:
    data = source.read_bytes()
    if source.suffix == ".pickle" or source.name == paths.LOG:
        return data
    for old, new in what.items():
        data = data.replace(old, new)
    return data


if __name__ == "__main__":
    make()
