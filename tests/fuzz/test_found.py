"""What fuzzing has found, each as a plain test: all of these ended in a traceback once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbbg import paths, screen
from nbbg.errors import StoreError
from nbbg.settings import values
from nbbg.store import endings
from tests import sample
from tests.fuzz.trial import Trial


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """The sample as the current project."""
    made = sample.place(tmp_path / "project", tmp_path / "home")
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("HOME", str(made.home))
    return Trial(made.root, made.home)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "good.ipynb", "-n", "--seed", "9" * 30],  # it spoiled the store for ever
        ["run", "good.ipynb", "-n", "--seed=--"],
        ["run", "good.ipynb", "-n", "--python=--"],
        ["status", "--json=--"],
        ["run", "good.ipynb", "-n", "--exit-file", "e" * 300],
        ["run", "good.ipynb", "-n", "--python", "e" * 300],
        ["run", "good.ipynb", "-n", "--output", "\udcff"],
        ["status", "\udcff"],
        ["stop", "--", "a\udc80"],
    ],
)
def test_words_that_are_refused(trial: Trial, words: list[str]) -> None:
    """Numbers and names beyond all bounds, and bytes that are no text, are refused."""
    code, said = trial.command(*words)
    assert code == 2
    assert "[Errno" not in said


@pytest.mark.parametrize("option", ["--prepend", "--note", "--exclude", "--gpus", "--jobs"])
def test_two_dashes_are_a_value(trial: Trial, option: str) -> None:
    """The value of an option may be `--`, which is taken or refused like any other."""
    assert trial.command("run", "good.ipynb", "-n", f"{option}=--")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("batches/1/plan.jsonl", '"seed":1', f'"seed":{10**30}'),
        ("batches/1/plan.jsonl", '"arm":"train/lr=0.1"', '"arm":"gone"'),
        ("batches/1/batch.json", '"last": 4', '"last": null'),
        ("batches/1/batch.json", '"created_at":', '"created_at":1e999,"was":'),
        ("batches/1/batch.json", '"jobs":', f'"jobs":{10**400},"was":'),
        ("batches/1/batch.json", '"environment":', '"environment": 3, "was":'),
        ("batches/1/batch.json", '"facts":', '"facts": null, "was":'),
        ("batches/7/arms.jsonl", '"name":"many/lr=0"', '"name":null'),
        ("batches/7/arms.jsonl", '"name":"many/lr=0"', '"name":"gone"'),
        ("batches/7/arms.jsonl", '"name":"many/lr=100"', '"name":null'),
        (
            "batches/7/arms.jsonl",
            '"name":"many/lr=0","params":',
            '"name":"many/lr=0","params":3,"was":',
        ),
    ],
)
def test_records_that_are_named(kept: Trial, name: str, old: str, new: str) -> None:
    """A plan or a list of arms that can't be meant is named, in one line."""
    path = kept.root / paths.STORE / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    _, said = kept.command("status")
    assert "can't be read" in said


def test_a_folder_that_is_no_run_s_is_passed_over(kept: Trial) -> None:
    """Digits that nbbg does not write, and numbers that no index holds."""
    for name in ("²", "9" * 30):
        (kept.root / paths.STORE / "batches/1/runs" / name).mkdir()
    (kept.root / paths.STORE / paths.INDEX).unlink(missing_ok=True)
    code, said = kept.command("status")
    assert code == 0, said


@pytest.mark.parametrize("damage", ['"metadata": null, "x": {', '"cells": 3, "x": {'])
def test_a_frozen_notebook_that_is_none_is_named(kept: Trial, damage: str) -> None:
    """What compares it with another says so in a sentence."""
    path = kept.root / paths.STORE / "batches/1/frozen/train.ipynb"
    record = json.loads(path.read_text())
    record.update(json.loads(f"{{{damage}}}}}"))
    path.write_text(json.dumps(record))
    code, said = kept.command("diff", "1", "5")
    assert (code, "can't be read" in said) == (2, True)


@pytest.mark.parametrize("damage", ['"gpu": true', '"machine": 3', '"slots": 1', '"up": "x"'])
def test_a_claim_of_wrong_types_is_named(kept: Trial, damage: str) -> None:
    """A claim with a value that can't be meant makes its run unknown, which says so."""
    claim = kept.root / paths.STORE / "batches/3/runs/9/1/process.json"
    claim.write_text(json.dumps({**json.loads(claim.read_text()), **json.loads(f"{{{damage}}}")}))
    code, said = kept.command("show", "9")
    assert (code, "unknown" in said, "process.json" in said) == (0, True, True), said


@pytest.mark.parametrize("at", ['"x"', "null", "1e999", str(10**400)])
def test_a_stop_at_no_time_is_a_stop(kept: Trial, at: str) -> None:
    """A batch whose stop has lost its time is stopped, and told like every other."""
    stop = kept.root / paths.STORE / "batches/7/stop.json"
    stop.write_text(f'{{"by": null, "at": {at}}}')
    code, said = kept.command("status", "b7")
    assert (code, "by somebody" in said) == (0, True), said


def test_packages_of_wrong_types_are_none(kept: Trial) -> None:
    """A list of packages that is none is no obstacle to a comparison of two runs."""
    path = kept.root / paths.STORE / "batches/1/packages.json"
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()))))
    assert kept.command("diff", "1", "5")[0] in {0, 1}


def test_an_ending_without_its_cell_is_refused() -> None:
    """A failure that does not say where is a damaged record."""
    record = json.loads('{"state": "failed", "error": {"name": "E", "value": "x"}, "note": ""}')
    with pytest.raises(StoreError, match="cell"):
        endings.from_json(record)


def test_a_lone_control_sequence_is_dropped() -> None:
    """The eight-bit forms of escape sequences steer some terminals, also half of one."""
    assert screen.without_escapes("a\x9b\nb\x9dc\x07\x08d\te") == "a\nbcd\te"


def test_seconds_beyond_all_bounds_are_refused() -> None:
    """A number that no float holds is no number of seconds."""
    with pytest.raises(values.BadValueError, match="must be a number of seconds"):
        values.seconds(10**400, values.Place(Path(), Path()))
