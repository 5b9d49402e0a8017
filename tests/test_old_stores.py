"""What an older nbbg wrote is read for ever; what a newer one wrote is left alone."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import paths
from tests import sample
from tests.project import PYTHON, Project
from tests.test_strangers import COMMANDS, content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Project]:
    """A project with the sample as its store."""
    made = sample.place(tmp_path / "project", tmp_path / "home")
    yield made
    made.end_all()


def differing(kept: Any, now: Any, place: str = "") -> list[str]:
    """Where what is said now lacks something that was said then, or says it otherwise."""
    if isinstance(kept, dict) and isinstance(now, dict):
        inner = ((kept[name], now.get(name, "gone"), f"{place}.{name}") for name in kept)
    elif isinstance(kept, list) and isinstance(now, list) and len(kept) == len(now):
        inner = (
            (one, other, f"{place}[{n}]")
            for n, (one, other) in enumerate(zip(kept, now, strict=True))
        )
    else:
        return [] if kept == now else [f"{place}: {kept!r} is now {now!r}"]
    return [line for one in inner for line in differing(*one)]


def test_every_reader_says_of_the_sample_what_it_said_then(old: Project) -> None:
    """States, reasons, metrics, logs, notebooks and kept results are what they were."""
    kept = json.loads(sample.ANSWERS.read_text())
    states = {run["state"] for run in kept["status"]["runs"]}
    assert states == {
        *("succeeded", "failed", "exited", "killed", "timed out", "stopped", "lost"),
        *("queued", "unknown"),
    }
    assert differing(kept, sample.answers(old)) == []


def test_the_sample_names_no_machine() -> None:
    """It holds nothing of the place where it was made."""
    for path in sample.DATA.rglob("*"):
        if path.is_file() and path != sample.GUEST:
            text = path.read_text(errors="replace")
            for word in ("/tmp", "/root", "/work", "/home/"):  # noqa: S108 - looked for
                found = text.replace(sample.ROOT, "").replace(sample.HOME, "")
                assert word not in found, f"{path}: {word}"


def test_runs_of_the_sample_go_on(old: Project) -> None:
    """What was lost is resumed and what failed is retried, by the code of then."""
    long = old.root / paths.STORE / "batches/3/frozen/long.ipynb"
    long.write_text(long.read_text().replace("time.sleep(100)", "pass"))
    old.nbbg("resume", "9", "11")
    old.nbbg("retry", "6")
    old.nbbg("wait", "9", "11")
    old.nbbg("wait", "6", code=1)
    assert {old.state(9), old.state(11)} == {"succeeded"}
    assert (old.run(6)["attempt"], old.state(6)) == (2, "exited")
    assert old.log(6) == "out\n"
    old.nbbg("run", "--help")


def test_a_newer_store_is_refused_unharmed(old: Project) -> None:
    """Every command, the supervisor and the runner leave a newer store alone, with a sentence."""
    old.write("train.ipynb", "1")
    store = old.root / paths.STORE
    (store / paths.FORMAT).write_text("2\n")
    (store / "batches/3/runs/11/1").mkdir(parents=True, mode=0o700)
    before = content(old.root, old.home)
    for command in COMMANDS:
        done = old.nbbg(*command.split(), code=2)
        assert (done.stdout, len(done.stderr.splitlines())) == ("", 2), command
        assert "written by a newer nbbg (format 2, this one knows 1)" in done.stderr
    for module, folder in (
        ("nbbg.supervisor", store / "batches/3"),
        ("nbbg.runner", store / "batches/3/runs/11/1"),
    ):
        done = subprocess.run(
            [PYTHON, "-P", "-m", module, str(folder)],
            env=old.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert "written by a newer nbbg" in done.stderr
    assert content(old.root, old.home) == before
    for command in ("pair train.ipynb", "sync train.ipynb", "convert train.ipynb", "check"):
        old.nbbg(*command.split(), code=None)  # need no records, and do without
    assert content(store).items() <= before.items()


def test_fields_that_are_not_known_are_passed_over(old: Project) -> None:
    """A field that a later nbbg of the same format adds to a record changes no answer."""
    kept = json.loads(sample.ANSWERS.read_text())
    store = old.root / paths.STORE
    for path in store.rglob("*.json*"):
        if path.name in {"plan.jsonl", "arms.jsonl"} or {"frozen", "guest", "results", "tree"} & {
            *path.parts
        }:
            continue
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        added = [json.dumps({**json.loads(line), "later": {"a": [1]}}) for line in lines if line]
        path.write_text("\n".join(added) + "\n")
    now = {
        name: old.nbbg(*words, code=None)
        for name, words in (("status", ("status", "--json", *map(str, range(1, 16)))),)
    }
    said = json.loads(now["status"].stdout)
    states = [(run["id"], run["state"], run["metrics"]) for run in said["runs"]]
    assert states == [(run["id"], run["state"], run["metrics"]) for run in kept["status"]["runs"]]
