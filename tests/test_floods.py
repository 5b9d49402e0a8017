"""Many at once: results, endings and watchers; scaled up with NBBG_FLOOD=10."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.index import Index
from nbbg.store import place
from tests import records
from tests.places import GATE, open_gate
from tests.project import PYTHON, until
from tests.terminal import Terminal

if TYPE_CHECKING:
    from tests.project import Project

SCALE = int(os.environ.get("NBBG_FLOOD", "1"))


def test_a_thousand_files_of_results(project: Project) -> None:
    """A run that leaves 1,000 files and keeps results ends as every other, its size is known."""
    count = 1000 * SCALE
    write = (
        "import os, nbbg\n"
        "folder = os.path.join(os.environ['NBBG_RUN_DIR'], os.environ['NBBG_ATTEMPT'], 'results')\n"
        f"for i in range({count}):\n"
        "    open(os.path.join(folder, f'file{i}.bin'), 'w').write('x')\n"
    )
    names = [f"r{number}" for number in range(100)]
    project.write("many.ipynb", write, "; ".join(f"{name} = {name[1:]}" for name in names))
    project.nbbg("run", "many.ipynb", "--results", ",".join(names))
    project.nbbg("wait", "1", timeout=110)
    until(lambda: project.run(1)["bytes"] is not None)
    assert project.run(1)["bytes"] >= count * 4096
    began = time.monotonic()
    assert "r99" in project.nbbg("show", "1").stdout
    print(f"show: {time.monotonic() - began:.2f} s")  # noqa: T201 - a figure
    done = project.nbbg("clean", "1", "--yes")
    assert "freed" in done.stdout
    assert not project.attempt(1).exists()


def test_endings_in_one_second(project: Project) -> None:
    """Runs that end all in one second are told right by a reader that looks meanwhile."""
    count = min(300 * SCALE, 1000)
    store = place.open_store(project.root)
    place.make(store)
    records.publish(store, count)
    with Index(store) as index:
        for run in range(1, count + 1):
            with records.an_attempt(store, 1, run) as attempt:
                attempt.claim()
                attempt.end()
            if run % 100 == 0:
                kept = {"event": "starting", "run": run, "attempt": 1}
                with (store.batch(1) / paths.EVENTS).open("ab") as events:
                    events.write(files.to_line(kept))
                index.refresh()
    (store.batch(1) / paths.EVENTS).write_bytes(b"")  # no hint of any of them
    assert project.nbbg("wait", "b1", timeout=110).returncode == 0
    (batch,) = project.status()["batches"]
    assert batch["counts"] == {"succeeded": count}


def watch(project: Project, said: Path) -> subprocess.Popen[bytes]:
    """Start a watcher that writes into a file."""
    with said.open("wb") as file:
        return subprocess.Popen(
            [PYTHON, "-P", "-m", "nbbg", "status", "--watch"],
            cwd=project.root,
            env=project.environ(),
            stdin=subprocess.DEVNULL,
            stdout=file,
        )


def test_many_watchers(project: Project) -> None:
    """Each of many `status --watch` tells every change, and ends when the batch does."""
    count = 5 * SCALE
    project.write("gated.ipynb", GATE)
    project.nbbg("run", "gated.ipynb", "--runs", "3", "--jobs", "3")
    said = [project.root / f"watch{number}.txt" for number in range(count)]
    watchers = [watch(project, path) for path in said]
    until(lambda: all(path.read_text().count(" running") == 3 for path in said), 110)
    open_gate(project)
    began = time.monotonic()
    for watcher in watchers:
        assert watcher.wait(timeout=110) == 0
    for path in said:
        ends = [line for line in path.read_text().splitlines() if "succeeded" in line]
        assert sorted(line.split()[2] for line in ends) == ["1", "2", "3"]
        assert path.read_text().count("\n") <= 9
    assert {run["state"] for run in project.runs()} == {"succeeded"}
    times = os.times()
    took = time.monotonic() - began
    cpu = times.children_user + times.children_system
    print(f"{count} watchers: {took:.1f} s, {cpu:.1f} s of CPU, with all else")  # noqa: T201


def test_watching_on_a_terminal(project: Project) -> None:
    """On a terminal the picture is drawn anew, and it ends with the last run."""
    project.write("short.ipynb", "print('said')")
    project.nbbg("run", "short.ipynb", "--runs", "2")
    argv = [PYTHON, "-P", "-m", "nbbg", "status", "--watch"]
    environ = {**project.environ(), "NO_COLOR": "1"}
    with Terminal(argv, project.root, environ) as terminal:
        terminal.until("2 succeeded")
        assert terminal.ended() == 0


def test_status_of_many_cleaned_runs(project: Project) -> None:
    """The size of all records is told without a walk through their folders."""
    store = place.open_store(project.root)
    place.make(store)
    count = 1000 * SCALE
    records.publish(store, count)
    kept = {"ending": {"state": "succeeded"}, "started_at": 1.0, "ended_at": 2.0, "metrics": {}}
    lines = (
        {"event": "ended", "run": run, "attempt": 1, "kept": {**kept, "bytes": 2_000_000}}
        for run in range(1, count + 1)
    )
    (store.batch(1) / paths.EVENTS).write_bytes(b"".join(map(files.to_line, lines)))
    said = project.nbbg("status")
    assert f"the records take {2 * SCALE}.0 GB" in said.stderr
    assert f", {2 * SCALE}.0 GB" in said.stdout
    began = time.monotonic()
    project.nbbg("status")
    print(f"status of {count}: {time.monotonic() - began:.3f} s")  # noqa: T201 - a figure
    assert not list(Path(store.batch(1) / paths.RUNS).iterdir())
