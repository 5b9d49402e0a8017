"""Warm starts: a run that is forked from a process that has imported is as one that began.

What may not be imported ahead is left out with a word, nothing hangs, and whoever dies, the runs
and their records are as they are without templates.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import paths, process
from nbbg.engines import commands, packets
from nbbg.engines.ipython import freshness, imports, spares
from nbbg.engines.ipython import libraries as libraries_of_c
from tests.project import notebook, until

if TYPE_CHECKING:
    from tests.project import Project

pytestmark = pytest.mark.skipif(not process.LINUX, reason="forks are renamed by way of /proc")

# What a notebook can see of its process, but for what is of each run.
SURROUNDINGS = """
import faulthandler, gc, json, logging, os, resource, signal, sys, threading, warnings
import atexit, random
def words(name):
    text = open(f"/proc/self/{name}").read().rstrip("\\0")
    return text.replace(os.environ["NBBG_RUN_DIR"], "RUN")
OWN = ("RUN_NUMBER", "SEED", "NBBG_RUN_ID", "NBBG_RUN_DIR", "NBBG_CHECKPOINT_DIR", "NBBG_MARKER")
print(json.dumps({
    "argv": sys.argv, "words": words("cmdline").split("\\0"),
    "orig": words("cmdline").split("\\0")[1:] == [
        each.replace(os.environ["NBBG_RUN_DIR"], "RUN") for each in sys.orig_argv[1:]],
    "marked": os.environ["NBBG_MARKER"] in words("environ"),
    "path": sys.path, "cwd": os.getcwd(), "flags": str(sys.flags), "executable": sys.executable,
    "environment": {k: v for k, v in os.environ.items() if k not in OWN},
    "signals": {n: str(signal.getsignal(n)) for n in sorted(signal.valid_signals())},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "limits": [resource.getrlimit(n) for n in range(10)],
    "umask": [os.umask(0o22), os.umask(0o22)][0],
    "session": os.getsid(0) == os.getpid(), "group": os.getpgrp() == os.getpid(),
    "threads": threading.active_count(),
    "gc": [gc.isenabled(), gc.get_threshold()],
    "files": sorted(os.readlink(f"/proc/self/fd/{fd}").rpartition("/")[2]
                    for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")),
    "inherited": [fd for fd in range(3, 30)
                  if os.path.exists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)],
    "logging": [str(logging.root.handlers), logging.root.level],
    "streams": [sys.stdout.name, sys.stderr.name, sys.__stdout__.name, sys.stdin.fileno()],
    "nbbg": sorted(m for m in sys.modules if m.startswith("nbbg.") and ".ipython." not in m
                   and m != "nbbg.engines.packets"),
    "main": __name__, "fault": faulthandler.is_enabled(), "warnings": len(warnings.filters),
}))
"""
# Libraries of a project's interpreter, and what is said of them.
LIBRARIES = {
    "fine": ("X = 1", ""),
    "prints": ("print('hello from', __name__)", "it prints when it is imported"),
    "opens": ("F = open('/dev/null')", "it leaves files or sockets open"),
    "changes": ("import os\nos.environ['CHANGED'] = '1'", "it changes the environment"),
    "moves": ("import os\nos.chdir('/tmp')", "it changes the working folder"),
    "handles": (
        "import signal\nsignal.signal(signal.SIGUSR2, lambda *_: 0)",
        "it handles signals",
    ),
    "draws": ("import random\nrandom.seed(1)", "it seeds random numbers"),
    "stays": (
        "import tempfile\nD = tempfile.TemporaryDirectory()",
        "it leaves a temporary folder, which the first run would remove",
    ),
    "yields": ("import os\nos.nice(1)", "it changes its CPUs or its priority"),
    "threaded": (
        """import threading, time
LOCK = threading.Lock()
def hold():
    with LOCK:
        time.sleep(3600)
threading.Thread(target=hold, daemon=True).start()
time.sleep(0.05)""",
        "it starts threads",
    ),
    "dies": (
        "import os\nif 'NBBG_RUN_ID' not in os.environ:\n    os._exit(3)",
        "its import crashes",
    ),
    "borrows": ("import beside", "it imports beside, which is not installed"),
}


def engine_of(project: Project, run: int) -> dict[str, Any]:
    """The event that tells how a run's engine was started."""
    lines = (project.attempt(run) / "cells.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return next(event for event in events if event["event"] == "engine")


def templates(project: Project) -> list[int]:
    """The pids of the project's templates."""
    needle = commands.TEMPLATE.encode()
    return [
        who.pid
        for who in project.members()
        if needle in Path(f"/proc/{who.pid}/cmdline").read_bytes().split(b"\0")
    ]


def parent_of(pid: int) -> int:
    """The pid of its parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def libraries(project: Project) -> Path:
    """A folder of installed packages for the project's runs."""
    folder = project.root / "lib" / "site-packages"
    folder.mkdir(parents=True)
    for name, (source, _) in LIBRARIES.items():
        (folder / f"{name}.py").write_text(source + "\n")
    project.environment["PYTHONPATH"] = str(folder)
    return folder


def test_a_run_finds_what_it_finds_without(project: Project) -> None:
    """Environment, files, signals, limits, streams, words and the rest are as in a cold run."""
    project.write("look.ipynb", "import numpy", SURROUNDINGS)
    project.nbbg("run", "look.ipynb", "--warm", "on", "--runs", "1", "--wait")
    project.nbbg("run", "look.ipynb", "--warm", "off", "--wait")
    assert [engine_of(project, run).get("warm") for run in (1, 2)] == [True, None]
    warm, cold = (json.loads(project.log(run)) for run in (1, 2))
    for found in (warm, cold):  # which the batches' own folders differ in
        text = json.dumps(found).replace("batches/2", "batches/1")
        found.clear()
        found.update(json.loads(text))
    assert warm == cold


def test_several_runs_are_warm_and_their_parents_are_their_runners(project: Project) -> None:
    """By itself, for a batch of several; each engine is its runner's child, and none is left.

    What each has for itself is no obstacle: a folder of its own on the machine's disk.
    """
    show = "import os\nprint(os.getppid())\nassert os.path.isdir(os.environ['NBBG_SCRATCH_DIR'])"
    project.write("a.ipynb", show)
    own = ("--scratch", str(project.root / "disk"))
    project.nbbg("run", "a.ipynb", "--runs", "4", "--jobs", "2", *own, "--wait")
    for run in range(1, 5):
        assert engine_of(project, run)["warm"] is True
        claim = json.loads((project.attempt(run) / "process.json").read_text())
        assert project.log(run) == f"{claim['pid']}\n"
    said = project.nbbg("show", "4").stdout
    assert "\nstart      warm\n" in said
    assert "waiting " in said
    assert ", cells 0." in said
    until(lambda: not project.members())


def test_one_run_or_none_asked_for_is_cold(project: Project) -> None:
    """A single run, and `--warm off`, start no template."""
    project.write("a.ipynb", "print(1)")
    project.nbbg("run", "a.ipynb", "--wait")
    project.nbbg("run", "a.ipynb", "--runs", "+3", "--warm", "off", "--wait")
    for run in range(1, 5):
        assert engine_of(project, run).keys() & {"warm", "cold"} == set()
    assert "\nstart " not in project.nbbg("show", "1").stdout


def test_how_long_a_run_waited_is_told_where_it_is_known(project: Project) -> None:
    """After a stop before its start nobody knows since when it waits again: nothing is said."""
    gate = project.root / "gate"
    gate.touch()
    waits = f"import os, time\nwhile os.path.exists({str(gate)!r}): time.sleep(0.01)"
    project.write("a.ipynb", waits)
    project.nbbg("run", "a.ipynb", "--runs", "2")
    project.until_running(1)
    project.nbbg("stop", "2")
    gate.unlink()
    project.nbbg("wait", "b1", code=1)
    project.nbbg("resume", "2")
    project.nbbg("wait", "b1")
    assert "\ntime       waiting " in project.nbbg("show", "1").stdout
    assert "\ntime       starting " in project.nbbg("show", "2").stdout


def test_what_an_import_may_not_do_leaves_it_out(project: Project) -> None:
    """Each with a word in `show`; the runs import it themselves, and give what a cold one gives."""
    libraries(project)
    (project.root / "beside.py").write_text("")
    names = [name for name in LIBRARIES if name != "moves"]
    project.write("all.ipynb", *(f"import {name}" for name in names), "import moves; print(fine.X)")
    project.nbbg("run", "all.ipynb", "--runs", "3", "--warm", "on", "--wait", timeout=110)
    said = project.nbbg("show", "3").stdout
    for name, (_, why) in LIBRARIES.items():
        assert (f"not {name}: {why}" in said) == bool(why), said
    assert engine_of(project, 3)["warm"] is True
    for run in (1, 3):
        assert project.log(run) == "hello from prints\n1\n"


def test_preload_adds_and_excludes(project: Project) -> None:
    """`--preload` names what is imported ahead, and what is not, by whatever."""
    libraries(project)
    project.write("a.ipynb", "import sys", "print(sorted({'fine', 'json.tool'} & {*sys.modules}))")
    project.write("b.ipynb", "import sys\nprint('fine' in sys.modules)\nimport fine")
    project.nbbg("run", "a.ipynb", "--warm", "on", "--preload", "json.tool,fine", "--wait")
    project.nbbg("run", "b.ipynb", "--warm", "on", "--preload=-fine", "--wait")
    assert project.log(1) == "['fine', 'json.tool']\n"
    assert project.log(2) == "False\n"
    assert "torch,-tensorflow" in project.nbbg("run", "a.ipynb", "--preload", "1x", code=2).stderr


def test_a_module_to_preload_that_is_not_there_is_named(project: Project) -> None:
    """`show` tells what was asked for and can't be imported; the runs are warm all the same."""
    libraries(project)
    project.write("a.ipynb", "import fine\nprint(fine.X)")
    asked = "fine,json.tool,nosuch,json.nosuch"
    project.nbbg("run", "a.ipynb", "--warm", "on", "--preload", asked, "--wait")
    said = project.nbbg("show", "1").stdout
    missing = "warm; not nosuch: no such module is installed; not json.nosuch: its import fails\n"
    assert missing in said


def test_warm_starts_that_there_cannot_be_are_told_at_once(project: Project) -> None:
    """`--warm on` with an engine or executor that has no template says so, before and at launch."""
    project.write("a.ipynb", "pass")
    words = ("run", "a.ipynb", "--warm", "on", "--engine", "plain")
    for more in ("--dry-run", "--wait"):
        said = project.nbbg(*words, more).stderr
        assert "--warm on: the engine plain starts each run cold\n" in said
    assert "--warm on" not in project.nbbg("run", "a.ipynb", "--warm", "on", "--wait").stderr


def test_what_other_notebooks_of_the_batch_name_is_imported_too(project: Project) -> None:
    """Once the template serves, beside the first notebook's runs; none waits for it."""
    mark = project.root / "mark"
    (libraries(project) / "marks.py").write_text(f"open({str(mark)!r}, 'w').close()")
    late = f"import os, time\nwhile not os.path.exists({str(mark)!r}): time.sleep(0.01)"
    project.write("a.ipynb", "import fine", late)
    project.write("b.ipynb", "import sys; print('fine' in sys.modules)", "import marks")
    project.nbbg("run", "a.ipynb", "b.ipynb", "--runs", "2", "--timeout", "40s", "--wait")
    assert [run["state"] for run in project.runs()] == ["succeeded"] * 4


def test_status_tells_of_runs_that_wait_for_imports(project: Project) -> None:
    """While the template imports, `status` says why nothing runs; afterwards it says so no more."""
    gate = project.root / "gate"
    gate.touch()
    waits = f"import os, time\nwhile os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    (libraries(project) / "waits.py").write_text(waits)
    project.write("a.ipynb", "import waits")
    project.nbbg("run", "a.ipynb", "--runs", "3")
    until(lambda: project.status()["batches"][0]["importing"])
    told = "b1  a: 3 queued of 3, 1 at a time; imports first, for warm starts\n"
    assert told in project.nbbg("status").stdout
    gate.unlink()
    project.nbbg("wait", "b1")
    until(lambda: project.supervisor() is None)
    assert "imports first" not in project.nbbg("status").stdout
    assert not (project.batch("b1") / paths.IMPORTING).exists()
    assert engine_of(project, 1)["warm"] is True


def test_what_was_loaded_at_the_end_is_loaded_from_then_on(project: Project) -> None:
    """A module that a cell imports late is there in later runs; the project's own never is."""
    libraries(project)
    (project.root / "beside.py").write_text("")
    seen = "import sys\nprint('fine' in sys.modules, 'beside' in sys.modules)"
    project.write("a.ipynb", seen, "def late():\n    import fine, beside\nlate()")
    project.nbbg("run", "a.ipynb", "--runs", "6", "--wait")
    until_known = [project.log(run) for run in range(1, 7)]
    assert until_known[0] == "False False\n"
    assert until_known[-1] == "True False\n"
    assert not list((project.batch("b1") / "runs").glob("*/1/modules.json"))


def test_random_numbers_are_those_of_a_process_that_begins(project: Project) -> None:
    """No two runs draw the same; with `seed_everything`, the seed says what is drawn."""
    draw = """
        print(random.random(), np.random.rand(), next(tempfile._RandomNameSequence()),
              multiprocessing.current_process().authkey.hex())
    """
    imports = "import multiprocessing, random, tempfile\nimport numpy as np"
    project.write("a.ipynb", imports, textwrap.dedent(draw))
    project.nbbg("run", "a.ipynb", "--runs", "3", "--wait")
    drawn = [project.log(run).split() for run in (1, 2, 3)]
    assert all(len(set(each)) == 3 for each in zip(*drawn, strict=True)), drawn
    seeded = "import random, nbbg\nimport numpy as np\nnbbg.seed_everything(7)"
    project.write("b.ipynb", seeded, "print(random.random(), np.random.rand())")
    project.nbbg("run", "b.ipynb", "--runs", "3", "--wait")
    project.nbbg("run", "b.ipynb", "--runs", "+1", "--warm", "off", "--wait")
    assert len({project.log(run) for run in (4, 5, 6, 7)}) == 1


def test_an_import_that_hangs_is_given_up(tmp_path: Path) -> None:
    """After its time it is left out, and the template serves without."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "hangs.py").write_text("import time\ntime.sleep(600)")
    start = """
        import sys
        from nbbg.engines.ipython import program, trying
        trying.LIMIT = 1
        program.main([sys.argv[1], program.TEMPLATE])
    """
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    guest = str(commands.PACKAGE.parent)  # of which the package is a part
    begun = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(start), guest],
        stdin=its.fileno(),
        env={"PYTHONPATH": f"{guest}:{folder}", "PYTHONHASHSEED": "0"},
    )
    its.close()
    where = {"package": str(commands.PACKAGE), "cwd": str(tmp_path), "path": "", "notebook": ""}
    mine.send(json.dumps({**where, "names": ["hangs", "json.tool"], "left_out": {}}).encode())
    told = json.loads(mine.recv(1 << 20))
    assert told == {
        "loaded": ["json.tool"],
        "left_out": {"hangs": "its import takes more than 1 s"},
    }
    mine.close()
    assert begun.wait(30) == 0


def test_what_computes_after_the_fork_does_not_hang(project: Project) -> None:
    """BLAS pools, OpenMP, threads and forks of the notebook's own work in a forked run."""
    work = """
        import multiprocessing, threading, time
        import numpy as np
        big = np.ones((300, 300))
        print(float((big @ big).sum()))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(abs, [-1, -2]))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.map(abs, [-3]))
        thread = threading.Thread(target=print, args=("thread",))
        thread.start(); thread.join()
        def spin():
            while True: time.sleep(0.001)
        threading.Thread(target=spin, daemon=True).start()
        !echo child
    """
    project.write("a.ipynb", "import numpy, sklearn.cluster", textwrap.dedent(work))
    kmeans = "from sklearn.cluster import KMeans\nprint(KMeans(2, n_init=2).fit(big).n_iter_ > 0)"
    project.write("b.ipynb", "import numpy as np\nbig = np.random.rand(4000, 4)", kmeans)
    project.nbbg("run", "a.ipynb", "b.ipynb", "--runs", "2", "-j2", "--warm", "on", timeout=100)
    project.nbbg("wait", "b1", timeout=100)
    assert all(engine_of(project, run)["warm"] for run in range(1, 5))
    logs = {project.log(run["id"]) for run in project.runs() if run["notebook"] == "a.ipynb"}
    assert logs == {"27000000.0\n[1, 2]\n[3]\nthread\nchild\n"}


def test_what_a_library_has_computed_at_its_import_is_no_start(project: Project) -> None:
    """OpenMP's threads, once they are there, hang every fork: so it is left out."""
    folder = libraries(project)
    (folder / "computed.py").write_text(
        "import numpy\nfrom sklearn.cluster import KMeans\n"
        "KMeans(2, n_init=1).fit(numpy.random.rand(5000, 4))\n"
    )
    project.environment["OMP_NUM_THREADS"] = "2"
    again = "print(KMeans(2, n_init=1).fit(numpy.random.rand(5000, 4)).n_iter_ > 0)"
    project.write("a.ipynb", "import computed, numpy\nfrom sklearn.cluster import KMeans", again)
    project.nbbg("run", "a.ipynb", "--runs", "2", "-j2", "--warm", "on", "--wait", timeout=100)
    assert [project.log(run) for run in (1, 2)] == ["True\n"] * 2
    assert "not computed: it starts threads" in project.nbbg("show", "1").stdout


def test_files_of_the_notebook_are_flushed_at_its_end(project: Project) -> None:
    """What Python and C would write at the end of a process is written; `atexit` is called.

    Of a C library too, where one is loaded of which it is not known that it needs no end.
    """
    cells = (
        "import atexit, ctypes, threading, time",
        "kept = open('kept.txt', 'w')\n_ = kept.write('text')",
        "import json\njson.kept_too = open('too.txt', 'w')\n_ = json.kept_too.write('too')",
        "class End:\n    def __del__(self): open('deleted.txt', 'w').close()\nend = End()",
        "atexit.register(lambda: open('atexit.txt', 'w').close())",
        "def late():\n    time.sleep(0.2)\n    open('thread.txt', 'w').close()",
        "threading.Thread(target=late).start()",
        "_ = ctypes.CDLL(None).printf(b'from C')",
        "json.at_end = ctypes.CFUNCTYPE(None)(lambda: open('library.txt', 'w').close())",
        "_ = ctypes.CDLL('libresolv.so.2'), ctypes.CDLL(None).__cxa_atexit(json.at_end, 0, 0)",
        "import holds",
    )
    held = "import zipfile\nkept = zipfile.ZipFile('kept.zip', 'w')\nkept.writestr('a', 'b')\n"
    (project.root / "holds.py").write_text(held)
    project.write("a.ipynb", *cells)
    project.nbbg("run", "a.ipynb", "--warm", "on", "--wait")
    assert engine_of(project, 1)["warm"] is True
    assert (project.root / "kept.txt").read_text() == "text"
    assert (project.root / "too.txt").read_text() == "too"
    for name in ("deleted", "atexit", "thread", "library"):
        assert (project.root / f"{name}.txt").exists(), name
    assert zipfile.is_zipfile(project.root / "kept.zip")
    assert project.log(1).endswith("from C")


def test_a_file_beside_the_notebook_is_imported_and_not_the_library(project: Project) -> None:
    """A run whose folder holds a module of that name is cold, and says which."""
    libraries(project)
    project.write("a.ipynb", "import fine\nprint(fine.X)\nopen('fine.py', 'w').write('X = 2')")
    project.nbbg("run", "a.ipynb", "--runs", "2", "--warm", "on", "--wait")
    assert [project.log(run) for run in (1, 2)] == ["1\n", "2\n"]
    assert engine_of(project, 2)["cold"].startswith("fine.py lies beside its notebook")


def test_a_folder_of_results_is_no_library(tmp_path: Path) -> None:
    """What a library has written beside a notebook, under its own name, keeps no run cold."""
    (tmp_path / "pytest").mkdir()
    assert freshness.shadowed(str(tmp_path)) == ""
    (tmp_path / "pytest" / "__init__.py").touch()
    assert freshness.shadowed(str(tmp_path)) == "pytest"
    (tmp_path / "pytest" / "__init__.py").unlink()
    (tmp_path / "pytest.abi3.so").touch()
    assert freshness.shadowed(str(tmp_path)) == "pytest.abi3.so"


def test_who_was_given_up_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork that is late hears that nobody listens; one that was in time is believed."""
    monkeypatch.setattr(spares, "PATIENCE", 0.0)
    for in_time in (False, True):
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with mine, its:
            assert not in_time or packets.send(its, lives=True)
            assert spares.lives(mine) is in_time
            assert packets.send(its, lives=True) is in_time


def test_many_modules_fit_into_a_packet() -> None:
    """Of the largest libraries too, whose names are longer than the kernel's room for a packet."""
    names = [f"tensorflow.python.of_some_operations.module_{number}" for number in range(20000)]
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, its:
        assert packets.send(mine, names=names)
        assert packets.receive(its) == {"names": names}


def test_changes_of_installed_packages_are_noticed(project: Project) -> None:
    """A run after a change of the installed packages imports what is there then."""
    folder = libraries(project)
    change = f"""
        import fine, os
        print(fine.X)
        if os.environ["RUN_NUMBER"] == "1":
            open({str(folder / "fine.py")!r}, "w").write("X = 2222")
            open({str(folder / "new.py")!r}, "w").close()
    """
    project.write("a.ipynb", textwrap.dedent(change))
    project.nbbg("run", "a.ipynb", "--runs", "3", "--warm", "on", "--wait")
    assert [project.log(run) for run in (1, 2, 3)] == ["1\n", "2222\n", "2222\n"]
    assert engine_of(project, 2)["cold"] == "installed packages have changed"
    assert engine_of(project, 3)["warm"] is True


@pytest.mark.parametrize(
    ("number", "spared"), [(signal.SIGKILL, 0), (signal.SIGSTOP, 0), (signal.SIGKILL, 2)]
)
def test_a_template_that_dies_or_hangs_costs_no_run(
    project: Project, number: int, spared: int
) -> None:
    """The run that it was asked for is started without it, and the next template serves.

    It is the whole of it, or but what it has forked ahead.
    """
    go = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)"
    project.write("a.ipynb", "import numpy", go)
    project.nbbg("run", "a.ipynb", "--runs", "4", "--warm", "on", "--grace", "0.3")
    project.until_running(1)
    until(lambda: len(templates(project)) == 4)  # one that imports, and two that wait
    for pid in templates(project)[spared:]:
        os.kill(pid, number)
    (project.root / "go").touch()
    project.nbbg("wait", "b1")
    assert [run["state"] for run in project.runs()] == ["succeeded"] * 4
    assert engine_of(project, 1)["warm"] is True
    assert engine_of(project, 4)["warm"] is True
    until(lambda: not project.members())


def test_a_killed_supervisor_takes_its_templates_and_no_run(project: Project) -> None:
    """The live run goes on to its end, its runner too; `resume` starts the rest, warm.

    They end also where they are halted, and hear of nothing.
    """
    go = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)"
    project.write("a.ipynb", "import wave", go)
    project.nbbg("run", "a.ipynb", "--runs", "3", "--warm", "on")
    first = project.until_running(1)
    supervisor = project.supervisor()
    assert supervisor
    until(lambda: len(templates(project)) == 4)
    (serving,) = (pid for pid in templates(project) if parent_of(pid) == supervisor)
    for pid in templates(project):
        if serving in (pid, parent_of(pid)):
            os.kill(pid, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not templates(project))
    assert project.state(1) == "running"
    assert process.identity(first["runner_pid"])
    (project.root / "go").touch()
    until(lambda: project.state(1) == "succeeded")
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert engine_of(project, 3)["warm"] is True


def test_an_engine_holds_the_lock_and_the_slots_of_its_run(project: Project) -> None:
    """Under the numbers that its runner has; none is closed with what its template had open."""
    look = """
        import json, os, wave
        attempt = os.path.join(os.environ["NBBG_RUN_DIR"], os.environ["NBBG_ATTEMPT"])
        with open(os.path.join(attempt, "engine.json")) as file:
            told = json.load(file)
        held = [told["lock_fd"], *told["slot_fds"]]
        mine, its = ([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in held]
                     for pid in (os.getpid(), os.getppid()))
        print(len(held), mine == its)
    """
    project.write("a.ipynb", textwrap.dedent(look))
    project.nbbg("run", "a.ipynb", "--runs", "8", "--warm", "on", "-j2", "--machine-jobs", "2")
    project.nbbg("wait", "b1")
    assert {project.log(run) for run in range(1, 9)} == {"3 True\n"}
    assert engine_of(project, 8)["warm"] is True


def test_a_template_has_no_lock_and_no_file_of_an_attempt(project: Project) -> None:
    """While a run lives, its template has open what it began with, and no more."""
    project.write("a.ipynb", "import time\ntime.sleep(600)")
    project.nbbg("run", "a.ipynb", "--runs", "3", "--warm", "on", "--grace", "0.2")
    project.until_running(1)
    for pid in templates(project):
        opened = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
        in_project = {path for path in opened if path.startswith(str(project.root))}
        assert in_project <= {str(project.batch("b1") / "supervisor.log")}
    project.nbbg("stop", "b1")
    until(lambda: not project.members())


def test_more_jobs_are_other_threads_and_another_template(project: Project) -> None:
    """`nbbg jobs` changes how many threads a run has; no run has those of the old template."""
    go = "import os, time\nprint(os.environ['OMP_NUM_THREADS'])"
    go += "\nwhile not os.path.exists('go'): time.sleep(0.02)"
    project.write("a.ipynb", go)
    project.environment["PYTHONHASHSEED"] = "1"
    project.nbbg("run", "a.ipynb", "--runs", "4", "--warm", "on")
    project.until_running(1)
    project.nbbg("jobs", "b1", "64")
    (project.root / "go").touch()
    project.nbbg("wait", "b1")
    assert project.log(4) == "1\n"
    assert engine_of(project, 4)["warm"] is True


def test_a_template_makes_no_garbage_with_each_run() -> None:
    """It collects none, since its forks would copy the pages; a batch may have a million runs."""
    libraries_of_c.need_an_end()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            libraries_of_c.need_an_end()
            libraries_of_c.loads()
        assert gc.collect() < 20
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("done", "why"),
    [
        ("threading.Thread(target=time.sleep, args=(600,), daemon=True).start()", "starts threads"),
        ("sys.kept = open(os.path.join(os.path.dirname(__file__), 'kept'), 'a')", "opens files"),
    ],
)
def test_an_interpreter_that_does_more_at_its_start_has_no_template(
    project: Project, done: str, why: str
) -> None:
    """Its threads are in no fork, and the numbers of its files there are those of others."""
    folder = project.root / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import os, sys, threading, time\n{done}\n")
    project.environment["PYTHONPATH"] = str(folder)
    project.write("a.ipynb", "import sys, threading")
    project.nbbg("run", "a.ipynb", "--warm", "on", "--wait")
    assert engine_of(project, 1)["cold"].startswith(f"its interpreter {why} by itself")


def test_a_hash_seed_of_each_run_is_its_own(project: Project) -> None:
    """Where the user wants random hashes there is no template, and `show` says so."""
    project.environment["PYTHONHASHSEED"] = "random"
    project.write("a.ipynb", "print(hash('a'))")
    project.nbbg("run", "a.ipynb", "--runs", "3", "--wait")
    assert len({project.log(run) for run in (1, 2, 3)}) == 3
    assert "\nstart      cold: PYTHONHASHSEED" in project.nbbg("show", "1").stdout


def test_what_a_notebook_imports_is_read_from_its_cells(tmp_path: Path) -> None:
    """Statements at the top level, also beside magics; no relative ones, none in functions."""
    made = notebook(
        "import a, b.c as d\nfrom e.f import g\nfrom h import *",
        "%matplotlib inline\nimport i\n!ls\nfrom j import k",
        "def f():\n    import no\nfrom . import no",
        "this is no Python",
    )
    (tmp_path / "a.ipynb").write_text(json.dumps(made))
    found = imports.of(str(tmp_path / "a.ipynb"))
    assert found == ["a", "b.c", "e.f", "e.f.g", "h", "i", "j", "j.k"]
    assert imports.of(str(tmp_path / "none.ipynb")) == []
