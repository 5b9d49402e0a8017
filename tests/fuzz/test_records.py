"""Records that are damaged, or that somebody else has made up: batches, attempts, journals, logs.

Each example changes one record of the kept sample, in which there are runs in every state; the
readers then say what can still be said.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg import files, journal, model, paths, screen
from nbbg.logs import readable
from nbbg.store import batches, changes, endings, place, state
from tests import sample
from tests.fuzz import odd
from tests.fuzz.trial import MORE, Trial, examples
from tests.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn

pytestmark = pytest.mark.timeout(300 * MORE)

RECORDS = [
    *("batches/1/batch.json", "batches/1/plan.jsonl", "batches/1/events.jsonl"),
    *("batches/1/packages.json", "batches/1/frozen/train.ipynb", "batches/2/batch.json"),
    *("batches/7/arms.jsonl", "batches/7/batch.json", "batches/7/changes/1.json"),
    *("batches/7/stop.json", "batches/1/runs/1/1/result.json", "batches/2/runs/5/1/cells.jsonl"),
    *("batches/1/runs/1/1/cells.jsonl", "batches/1/runs/1/1/metrics.jsonl"),
    *("batches/1/runs/1/1/results/table.json", "batches/3/runs/9/1/process.json"),
    *("batches/3/runs/9/1/cells.jsonl", "batches/3/runs/10/1/stop.json"),
    *("batches/2/runs/8/1/limit.json", "batches/4/runs/12/1/ticket.json"),
    *("batches/4/runs/12/1/process.json", "batches/2/runs/8/1/result.json"),
    *("batches/1/runs/1/1/imported.json", "batches/1/runs/1/1/log.txt", "format"),
]
READERS = [
    *("status", "status --json", "show {run}", "show {run} --json", "logs {run}", "results"),
    *("notebook {run} -o -", "wait {run} --timeout 0.01", "diff 1 5", "show 1 --result table"),
    *("results --json", "logs {run} -n 3"),
]
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """The sample as the current project."""
    folder = tmp_path_factory.mktemp("kept")
    placed = sample.place(folder / "project", folder / "home")
    before, was = os.getcwd(), dict(os.environ)
    os.chdir(placed.root)
    os.environ.update(HOME=str(placed.home), NO_COLOR="1")
    yield Trial(placed.root, placed.home)
    os.chdir(before)
    os.environ.clear()
    os.environ.update(was)
    Project(placed.root, placed.home).end_all()


@st.composite
def damaged(draw: DrawFn, original: bytes, *, lines: bool) -> bytes:
    """The bytes of a record with something wrong."""
    if draw(st.integers(0, 3)) == 0:
        return draw(odd.broken(st.just(original.decode(errors="replace"))))
    texts = original.decode(errors="replace").splitlines() if lines else [original.decode()]
    at = draw(st.integers(0, len(texts) - 1))
    try:
        changed = draw(odd.changed(json.loads(texts[at])))
    except ValueError:
        return draw(odd.broken(st.just(original.decode())))
    texts[at] = odd.as_json(changed, draw).replace("\n", " ")
    if draw(st.integers(0, 4)) == 0:
        texts.insert(at, draw(odd.texts()))
    return "\n".join(texts).encode("utf-8", "surrogatepass")


@given(data=st.data(), name=st.sampled_from(RECORDS), command=st.sampled_from(READERS))
@examples(60)
def test_a_record_is_read_or_named(
    kept: Trial, data: st.DataObject, name: str, command: str
) -> None:
    """Whatever a record holds, each reader answers, steers no terminal, and changes no record."""
    path = kept.root / paths.STORE / name
    original = path.read_bytes()
    run = next((part for part in name.split("/")[3:4]), "1")
    path.write_bytes(data.draw(damaged(original, lines=path.suffix == ".jsonl")))
    index = kept.root / paths.STORE / paths.INDEX
    index.unlink(missing_ok=True)
    try:
        _, said = kept.command(*command.format(run=run).split())
        if "--json" not in command and "notebook" not in command:
            assert not CONTROLS.search(said), said
    finally:
        path.write_bytes(original)
        index.unlink(missing_ok=True)


@given(data=st.data(), name=st.sampled_from(RECORDS))
@examples(60)
def test_the_records_parsers_refuse_or_read(kept: Trial, data: st.DataObject, name: str) -> None:
    """The functions that parse records give a value or one of our errors."""
    path = kept.root / paths.STORE / name
    original = path.read_bytes()
    path.write_bytes(data.draw(damaged(original, lines=path.suffix == ".jsonl")))
    try:
        kept.call(place.open_store, kept.root)
        if "runs" in path.parts:
            with files.Folder(path.parent) as folder:
                assert isinstance(state.derive(folder), model.RunState)
                journal.read(folder, paths.CELLS)
                journal.find_last(folder, paths.CELLS, "cell")
        elif name.startswith("batches/"):
            batch = kept.root.joinpath(paths.STORE, *name.split("/")[:2])
            if read := kept.call(batches.read_folder, batch):
                kept.call(changes.read, batch, read)
    finally:
        path.write_bytes(original)


@given(
    record=odd.changed(
        {
            "state": "failed",
            "error": {"cell": 1, "name": "E", "value": "x"},
            "note": "",
            "code": 3,
            "signal": "SIGKILL",
            "left_out": [1],
            "limit": 3.0,
        }
    )
)
@examples(100)
def test_an_ending_is_read_or_refused(kept: Trial, record: Any) -> None:
    """What `result.json` may hold is an ending, or refused with our error."""
    for word in ("failed", "exited", "killed", "timed out", "stopped", "succeeded"):
        value = {**record, "state": word} if isinstance(record, dict) else {}
        ending = kept.call(endings.from_json, value)
        if ending:
            assert isinstance(ending.reason, str)


@given(
    text=st.text(alphabet="\x1b\x9b\x07\x08\r\n\t[]0123456789;?mHJKPX^_\\a\x00", max_size=60),
    cut=st.integers(0, 60),
)
@examples(200)
def test_no_log_steers_a_terminal(text: str, cut: int) -> None:
    """What is shown of a log, however it is cut, has no escape sequence but whole colours."""
    pieces = [text[:cut].encode(), text[cut:].encode()]
    shown = "".join(readable(pieces))
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\x1b" not in screen.without_escapes(text)
