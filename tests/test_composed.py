"""The executed notebook: composed from frozen notebook, journal and log, whatever they hold."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbbg import files, model, paths
from nbbg.store import batches, composed, place, reading
from tests import records
from tests.project import notebook
from tests.records import Attempt, an_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
ARM = records.an_arm(params={"lr": 0.1})


class Engine:
    """Plays an engine: writes journal and log of the first run of a batch."""

    def __init__(self, attempt: Attempt, store: place.Store) -> None:
        self.attempt, self.store = attempt, store
        self.index = -1
        attempt.claim()
        attempt.tell("begin", cells=4)

    @property
    def size(self) -> int:
        """Bytes in the log."""
        return self.out(b"")

    def cell(self, index: int | None = None) -> None:
        """A cell begins."""
        self.index = self.index + 1 if index is None else index
        ordinal = self.index + 1
        self.tell("cell", cell=self.index, ordinal=ordinal, cells=4, count=ordinal)

    def end_cell(self, status: str = "ok") -> None:
        """The cell has ended."""
        self.tell("cell_end", cell=self.index, status=status)

    def out(self, data: bytes) -> int:
        """Something is printed; the log's size then."""
        return self.attempt.print(data)

    def err(self, data: bytes) -> None:
        """Something is written to standard error."""
        end = self.out(data)
        self.attempt.tell("stream", name="stderr", log=[end - len(data), end])

    def tell(self, event: str, **fields: Any) -> None:
        """Append an event with the log's size."""
        self.attempt.tell(event, **fields, log=self.size)

    def display(self, text: str, display_id: str | None = None, kind: str = "display_data") -> None:
        """Something is displayed."""
        output: Json = {"output_type": kind, "data": {"text/plain": text}, "metadata": {}}
        if kind == "execute_result":
            output["execution_count"] = self.index + 1
        self.tell("display", output=output, display_id=display_id)

    def update(self, text: str, display_id: str) -> None:
        """Something else is shown in its place."""
        self.tell("update", display_id=display_id, data={"text/plain": text}, metadata={})

    def notebook(self, cap: int | None = None, *, banner: bool = False) -> Json:
        """The executed notebook as it is now, valid."""
        batch = batches.read(self.store, 1)
        run = reading.read(self.store, batch, model.Planned(1, "train", 1, 1))
        made = composed.compose(self.store.batch(1), batch, run, cap, banner=banner)
        data = composed.to_bytes(made)
        found: Json = json.loads(data, parse_constant=pytest.fail)
        nbformat.validate(found)
        return found

    def outputs(self, index: int = 0, cap: int | None = None) -> list[Any]:
        """The outputs of a cell: (stream, text) and displayed texts."""
        return [
            (output["name"], output["text"])
            if output["output_type"] == "stream"
            else output.get("ename") or output["data"]["text/plain"]
            for output in self.notebook(cap)["cells"][index]["outputs"]
        ]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that has begun a notebook of four code cells, the second with the parameters."""
    store = records.make_store(tmp_path / "project")
    frozen = notebook("a", "b", "c", parameters="lr = 1")
    frozen["cells"].pop()
    text = {"cell_type": "markdown", "id": "text", "metadata": {}, "source": "text"}
    frozen["cells"].append(text)
    content = {ARM.frozen: json.dumps(frozen).encode()}
    records.publish(store, 1, arm=ARM, content=content)
    with an_attempt(store) as attempt:
        yield Engine(attempt, store)


def statuses(notebook: Json) -> list[str | None]:
    """What each cell says of itself."""
    return [cell["metadata"].get("papermill", {}).get("status") for cell in notebook["cells"]]


def test_never_started(tmp_path: Path) -> None:
    """An attempt without a journal is the notebook as it will be executed, without outputs."""
    store = records.make_store(tmp_path / "project")
    content = {ARM.frozen: json.dumps(notebook("a", parameters="lr = 1")).encode()}
    batch = records.publish(store, 1, arm=ARM, content=content)
    with an_attempt(store):
        run = reading.read(store, batch, model.Planned(1, "train", 1, 1))
        found = composed.compose(store.batch(1), batch, run)
    nbformat.validate(found)
    assert [cell["source"] for cell in found["cells"]] == ["lr = 1", "# Parameters\nlr = 0.1", "a"]
    assert statuses(found) == ["pending"] * 3
    assert found["metadata"]["nbbg"]["state"] == "queued"


def test_streams_are_split_at_what_is_displayed(engine: Engine) -> None:
    """Text before and after a display are two outputs, in the order in which they came."""
    engine.cell()
    engine.out(b"before\n")
    engine.display("shown")
    engine.out(b"between\n")
    engine.display("result", kind="execute_result")
    engine.out(b"after\n")
    engine.end_cell()
    assert engine.outputs() == [
        ("stdout", "before\n"),
        "shown",
        ("stdout", "between\n"),
        "result",
        ("stdout", "after\n"),
    ]


def test_what_no_range_names_is_standard_output(engine: Engine) -> None:
    """Between the ranges of standard error stands what Python, C code and children printed."""
    engine.out(b"before the first cell\n")
    engine.cell()
    engine.out(b"1")
    engine.err(b"2")
    engine.err(b"3")
    engine.out(b"4")
    engine.end_cell()
    engine.out(b"of a thread, after the cell")
    engine.cell()
    engine.err(b"5")
    engine.end_cell()
    assert engine.outputs() == [
        ("stdout", "1"),
        ("stderr", "23"),
        ("stdout", "4of a thread, after the cell"),
    ]
    assert engine.outputs(1) == [("stderr", "5")]


@pytest.mark.parametrize("wait", [False, True])
def test_clear_output(engine: Engine, *, wait: bool) -> None:
    """What was cleared is gone: at once, or with `wait` as soon as something new is there."""
    engine.cell()
    engine.out(b"old")
    engine.err(b"old")
    engine.display("old")
    engine.tell("clear", wait=wait)
    assert engine.outputs() == ([("stdout", "old"), ("stderr", "old"), "old"] if wait else [])
    engine.out(b"new")
    assert engine.outputs() == [("stdout", "new")]
    engine.tell("clear", wait=wait)
    engine.display("newest")
    engine.out(b"and on")
    engine.end_cell()
    assert engine.outputs() == ["newest", ("stdout", "and on")]


def test_update_display(engine: Engine) -> None:
    """An update shows in every place of that id, also in an earlier cell; the last one counts."""
    engine.cell()
    engine.display("a", "one")
    engine.display("b", "two")
    engine.display("plain")
    engine.update("lost", "of nothing")
    engine.update("a1", "one")
    engine.end_cell()
    engine.cell()
    engine.display("a2", "one")
    engine.update("a3", "one")
    assert (engine.outputs(0), engine.outputs(1)) == (["a3", "b", "plain"], ["a3"])
    engine.display("a4", "one")
    assert (engine.outputs(0), engine.outputs(1)) == (["a4", "b", "plain"], ["a4", "a4"])


def test_a_bar_between_other_output(engine: Engine) -> None:
    """A bar that goes on after a print or a figure is one line, where it stands at last."""
    engine.cell()
    for step in range(1, 4):
        engine.err(f"\r{step}/3 |{'#' * step}".encode())
        engine.out(f"loss {step}\n".encode())
    engine.display("figure")
    engine.err(b"\r3/3 done\n")
    engine.err(b"a warning\n")
    assert engine.outputs() == [
        ("stdout", "loss 1\nloss 2\nloss 3\n"),
        "figure",
        ("stderr", "3/3 done\na warning\n"),
    ]


def test_nested_bars_between_other_output(engine: Engine) -> None:
    """So are two bars, of which the lower one is reached by cursor moves."""
    engine.cell()
    for step in range(3):
        engine.err(f"\router {step}\n\rinner {step}\x1b[A".encode())
        engine.out(b"said\n")
    assert engine.outputs() == [("stdout", "said\n" * 3), ("stderr", "outer 2\ninner 2")][::-1] or (
        engine.outputs()
        == [("stdout", "said\n" * 2), ("stderr", "outer 2\ninner 2"), ("stdout", "said\n")]
    )


def test_lines_that_nothing_draws_anew_stay(engine: Engine) -> None:
    """A text without a line end is kept where something else comes in between."""
    engine.cell()
    engine.err(b"a")
    engine.out(b"b")
    engine.err(b"c")
    engine.out("\u00e4".encode()[:1])
    engine.err(b"d")
    engine.out("\u00e4".encode()[1:] + b"\x1b[3")
    engine.err(b"e")
    engine.out(b"1mred")
    assert engine.outputs() == [
        *(("stderr", "a"), ("stdout", "b"), ("stderr", "cd"), ("stdout", "\u00e4")),
        *(("stderr", "e"), ("stdout", "\x1b[31mred\x1b[0m")),
    ]


def test_a_long_progress_bar_is_composed_quickly(engine: Engine) -> None:
    """100,000 steps of a bar on standard error, each an event, take seconds and not hours."""
    engine.cell()
    start = engine.size
    step = b"\r%3d%%|#####     | 1/100 [00:01<00:02, 5.00it/s, loss=0.123456]"
    data, events = bytearray(), bytearray()
    for number in range(100_000):
        piece = step % (number // 1000)
        span = [start + len(data), start + len(data) + len(piece)]
        events += files.to_line({"event": "stream", "time": 1.0, "name": "stderr", "log": span})
        data += piece
    engine.out(bytes(data))
    with (engine.attempt.path / paths.CELLS).open("ab") as file:
        file.write(events)
    before = time.process_time()
    (output,) = engine.outputs()
    assert time.process_time() - before < 10
    assert output == ("stderr", (step % 99).decode()[1:])


def test_the_running_cell(engine: Engine) -> None:
    """While a cell runs the notebook holds its outputs so far, and says what is still to come."""
    engine.cell()
    engine.end_cell()
    engine.cell()
    engine.out(b"so far")
    found = engine.notebook()
    assert engine.outputs(1) == [("stdout", "so far")]
    assert statuses(found) == ["completed", "running", "pending", "pending", "pending"]
    assert [cell.get("execution_count") for cell in found["cells"]] == [1, 2, None, None, None]
    timing = found["cells"][1]["metadata"]["papermill"]
    assert timing["end_time"] is timing["duration"] is None
    assert found["metadata"]["papermill"]["exception"] is None
    assert found["metadata"]["nbbg"]["state"] == "running"
    assert found["metadata"]["kernelspec"]["name"] == "python3"


def test_a_failed_run(engine: Engine) -> None:
    """The cell that raised holds its error, and papermill's readers see it."""
    engine.cell()
    engine.out(b"before\n")
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["..."]}
    engine.tell("display", output=error, display_id=None)
    engine.end_cell("error")
    engine.tell("end", status="failed", ordinal=1, error={"name": "ValueError", "value": "no"})
    engine.attempt.end(state="failed", error={"cell": 1, "name": "ValueError", "value": "no"})
    found = engine.notebook()
    assert engine.outputs() == [("stdout", "before\n"), "ValueError"]
    assert statuses(found) == ["failed", "pending", "pending", "pending", "pending"]
    assert found["cells"][0]["metadata"]["papermill"]["exception"] is True
    papermill = found["metadata"]["papermill"]
    assert papermill["exception"] is True
    assert papermill["parameters"] == {"lr": 0.1}
    assert papermill["duration"] > 0
    banner, *rest = engine.notebook(banner=True)["cells"]
    assert banner["metadata"]["tags"] == rest[0]["metadata"]["tags"] == ["papermill-error-cell-tag"]
    assert "cell 1: ValueError: no" in banner["source"]
    assert 'id="papermill-error-cell"' in rest[0]["source"]
    assert rest[1:] == found["cells"]
    assert found["metadata"]["nbbg"]["reason"] == "cell 1: ValueError: no"


def test_a_skipped_cell_has_no_outputs(engine: Engine) -> None:
    """A cell that was left out keeps none of the bytes of the cells around it."""
    engine.cell()
    engine.out(b"one")
    engine.end_cell()
    engine.tell("cell_end", cell=1, status="skipped")
    engine.cell(2)
    engine.out(b"three")
    engine.end_cell()
    assert [engine.outputs(index) for index in range(3)] == [
        [("stdout", "one")],
        [],
        [("stdout", "three")],
    ]
    assert statuses(engine.notebook()) == ["completed"] * 3 + ["pending"] * 2


def test_torn_lines_are_counted(engine: Engine) -> None:
    """A torn line costs its own event alone, and the notebook says how many there were."""
    engine.cell()
    assert "torn_lines" not in engine.notebook()["metadata"]["nbbg"]
    engine.attempt.garbage("more", b'{"event":"display","outp\n\x00\xff\n{"no": "event"}\n')
    with (engine.attempt.path / paths.CELLS).open("ab") as file:
        file.write((engine.attempt.path / "more").read_bytes())
    engine.out(b"a")
    engine.display("b")
    with (engine.attempt.path / paths.CELLS).open("ab") as file:
        file.write(b'{"event":"clear","wa')
    assert engine.outputs() == [("stdout", "a"), "b"]
    assert engine.notebook()["metadata"]["nbbg"]["torn_lines"] == 2


def test_bytes_that_are_no_text(engine: Engine) -> None:
    """Bytes that are no UTF-8, half characters and zeros become a notebook that can be read."""
    engine.cell()
    engine.out(b"a\xff\x00" + "ä".encode()[:1])
    engine.display("\ud800 and NUL \x00")
    engine.err("ä".encode()[1:] + b"\xfe")
    (out, _, err) = engine.outputs()
    assert out == ("stdout", "a\ufffd\x00\ufffd")
    assert err == ("stderr", "\ufffd\ufffd")


def test_nan_is_strict_json(engine: Engine) -> None:
    """A notebook with NaN in an output can be read by a browser."""
    engine.cell()
    data = {"text/plain": "x", "application/json": {"loss": float("nan"), "best": [float("inf")]}}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    engine.tell("display", output=output, display_id=None)
    shown = engine.notebook()["cells"][0]["outputs"][0]["data"]["application/json"]
    assert shown == {"loss": "nan", "best": ["inf"]}


def test_secrets_are_masked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of the reader that something else than Python printed is not in the notebook."""
    monkeypatch.setenv("A_TOKEN", "correcthorse")
    engine.cell()
    engine.out(b"it is correcthorse\n")
    assert engine.outputs() == [("stdout", "it is ************\n")]


def test_a_log_that_is_gone(engine: Engine) -> None:
    """Without its log a notebook has what the journal holds."""
    engine.cell()
    engine.out(b"gone")
    engine.err(b"gone")
    engine.display("kept")
    (engine.attempt.path / paths.LOG).unlink()
    batch = batches.read(engine.store, 1)
    run = reading.read(engine.store, batch, model.Planned(1, "train", 1, 1))
    found = composed.compose(engine.store.batch(1), batch, run)
    assert [output["output_type"] for output in found["cells"][0]["outputs"]] == ["display_data"]
    assert composed.notes(found) == ["its log is missing; what was printed is not in here"]


EVENTS = ["out", "err", "display", "shared", "update", "clear", "clear later", "cell"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(EVENTS), max_size=25))
def test_no_byte_is_lost_and_none_told_twice(tmp_path: Path, events: list[str]) -> None:
    """What was not cleared is in the outputs, once and in order, and every notebook is valid."""
    with records.quick_folder() as folder:
        store = records.make_store(folder / "project")
        content = {ARM.frozen: json.dumps(notebook(*"abc", parameters="lr = 1")).encode()}
        records.publish(store, 1, arm=ARM, content=content)
        with an_attempt(store) as attempt:
            engine, said = Engine(attempt, store), [""]
            engine.cell()
            for number, event in enumerate(events):
                text = f"<{number}>"
                if event == "cell" and engine.index < 3:
                    engine.end_cell()
                    engine.cell()
                    said.append("")
                elif event in ("out", "err"):
                    getattr(engine, event)(text.encode())
                    said[-1] += text
                elif event == "display":
                    engine.display(text)
                    said[-1] += text
                elif event == "clear":
                    engine.tell("clear", wait=False)
                    said[-1] = ""
            shown = [
                "".join(
                    part if isinstance(part, str) else part[1] for part in engine.outputs(index)
                )
                for index in range(len(said))
            ]
    assert shown == said
    assert not list(tmp_path.iterdir())


# What is too much.


def sized(engine: Engine, size: int, display_id: str | None = None, event: str = "display") -> None:
    """A figure of so many bytes is displayed."""
    data = {"text/plain": "<Figure>", "image/png": "A" * size}
    output: Json = {"output_type": "display_data", "data": data, "metadata": {"isolated": True}}
    more = {"output": output} if event == "display" else {"data": data, "metadata": {}}
    engine.tell(event, **more, display_id=display_id)


@pytest.mark.parametrize("end", [b"\n", b" "])
def test_of_too_much_text_head_and_tail_are_kept(engine: Engine, end: bytes) -> None:
    """Half of the cap each, and between them a line that says how much is missing, and where."""
    engine.cell()
    lines = [b"line %d" % number + end for number in range(20_000)]
    engine.out(b"".join(lines))
    engine.end_cell()
    engine.cell()
    engine.out(b"small")
    ((_, text),) = engine.outputs(cap=20_000)
    head, notice, tail = text.split("[nbbg: ")[0], text.split("[nbbg: ")[1], text[-100:]
    whole = b"".join(lines).decode()
    assert whole.startswith(head.removesuffix("\n"))
    assert whole.endswith(tail)
    assert notice.partition("]")[0].endswith("left out here; all of it: nbbg logs 1")
    assert 8000 < len(head) < 12_000
    assert 15_000 < len(text) < 22_000
    assert engine.outputs(cap=0) == [("stdout", whole)]
    assert engine.outputs(1, cap=20_000) == [("stdout", "small")]


def test_all_cells_together_have_a_cap(engine: Engine) -> None:
    """Where ten times the cap is used up, a cell keeps a hundredth of its own."""
    engine.cell()
    for _ in range(10):
        sized(engine, 700)
    engine.end_cell()
    engine.cell()
    engine.out(b"a line\n" * 1000)
    sized(engine, 700)
    figures = engine.notebook(1000)["cells"][0]["outputs"]
    assert [len(output["data"].get("image/png", "")) for output in figures[:7]] == [700] * 7
    assert "image/png" not in figures[9]["data"]
    text, figure = engine.outputs(1, cap=1000)
    assert len(text[1]) < 200
    assert figure.startswith("<Figure>\n[nbbg: image/png")


def test_a_thousand_figures_are_kept(engine: Engine) -> None:
    """The cap is for what is too much, and a thousand figures of 50 kB are not."""
    engine.cell()
    for _ in range(1000):
        sized(engine, 50_000)
    outputs = engine.notebook()["cells"][0]["outputs"]
    assert [len(output["data"]["image/png"]) for output in outputs] == [50_000] * 1000


@pytest.mark.parametrize("size", [20_000, 3_000_000])
def test_a_display_that_is_too_large(engine: Engine, size: int) -> None:
    """It is its text, and a line that names what it was; so is a large update of a small one."""
    engine.cell()
    sized(engine, size, "a")
    sized(engine, 5, "b")
    sized(engine, size, "b", "update")
    error = {"output_type": "error", "ename": "E", "evalue": "x" * size, "traceback": ["y" * size]}
    engine.tell("display", output=error, display_id=None)
    says = "[nbbg: image/png, " + ("3.0 MB" if size > 10**6 else "20.")
    outputs = engine.notebook(10_000)["cells"][0]["outputs"]
    for output in outputs[:2]:
        assert output["data"]["text/plain"].startswith(f"<Figure>\n{says}")
        assert output["data"]["text/plain"].endswith("nbbg notebook 1 --output-cap 0]")
        assert set(output["data"]) == {"text/plain"}
    assert (outputs[2]["ename"], len(outputs[2]["traceback"])) == ("E", 1)
    assert len(json.dumps(outputs)) < 5000
    assert len(json.dumps(engine.notebook(0)["cells"][0]["outputs"])) > 2 * size
    sized(engine, 7, "a", "update")
    assert engine.notebook(10_000)["cells"][0]["outputs"][0]["data"]["image/png"] == "A" * 7


def test_a_hole_in_the_log(engine: Engine) -> None:
    """What was freed in the middle of a log is left out and said, and no zeros are shown."""
    engine.cell()
    engine.out(b"begin\n" + bytes(50_000) + b"end\n")
    ((_, text),) = engine.outputs()
    assert text == "begin\n[nbbg: 50.0 kB left out here; what is left of it: nbbg logs 1]\nend\n"


# What is broken.


def test_whatever_the_journal_holds(engine: Engine) -> None:
    """Lines that are JSON and make no sense are counted, and the notebook stays valid."""
    engine.cell()
    for event in (
        *({"event": "cell"}, {"event": "cell", "cell": 99, "log": 0, "time": 1, "count": 1}),
        {"event": "cell", "cell": 4, "ordinal": 1, "count": 1, "log": 0, "time": 1},  # Markdown
        *({"event": "stream", "name": 3, "log": [0, 1]}, {"event": "stream", "log": 7}),
        {"event": "display", "output": {"output_type": "stream"}, "display_id": None, "log": 0},
        *({"event": "display", "output": [], "log": 0}, {"event": "clear", "wait": 1, "log": "x"}),
        {"event": "update", "display_id": ["x"], "data": {}, "metadata": {}},
        {"event": "clear", "wait": 1, "log": math.inf},
    ):
        engine.attempt.tell(event.pop("event"), **event)  # type: ignore[arg-type]
    odd = {"text/plain": 3, "text/html": ["a", "b"], "application/json": [1], "image/png": None}
    output = {"output_type": "execute_result", "data": odd, "metadata": None}
    engine.tell("display", output=output, display_id=7)
    engine.tell("something of a later version")
    engine.out(b"kept")
    found = engine.notebook()
    assert found["cells"][0]["outputs"][-1]["text"] == "kept"
    assert found["metadata"]["nbbg"]["torn_lines"] == 10
    assert "10 torn lines" in found["metadata"]["nbbg"]["notes"][0]


def test_a_journal_that_is_gone(engine: Engine) -> None:
    """Without its journal a notebook has no outputs, and says where they are."""
    engine.cell()
    engine.out(b"printed")
    (engine.attempt.path / paths.CELLS).unlink()
    found = engine.notebook()
    assert statuses(found) == ["pending"] * 5
    assert found["metadata"]["nbbg"]["notes"] == [
        "its journal is missing; what was printed is in the log: nbbg logs 1"
    ]


@pytest.mark.parametrize(
    ("result", "status", "exception"),
    [
        ({"state": "succeeded"}, "completed", None),
        ({"state": "killed", "signal": "SIGKILL", "cell": 1}, "failed", True),
        ({}, "running", None),
    ],
)
def test_a_cell_that_did_not_say_that_it_ended(
    engine: Engine, result: Json, status: str, exception: bool | None
) -> None:
    """Killed in mid-line it has failed, and papermill's readers see it; `sys.exit(0)` has not."""
    engine.cell()
    engine.out(b"in mid-li")
    if result:
        engine.attempt.end(**result)
    found = engine.notebook()
    times = found["cells"][0]["metadata"]["papermill"]
    assert (times["status"], times["exception"]) == (status, status == "failed")
    assert bool(times["end_time"]) == bool(result)
    assert found["metadata"]["papermill"]["exception"] is exception
    assert engine.outputs() == [("stdout", "in mid-li")]


def test_papermill_reads_it(engine: Engine, tmp_path: Path) -> None:
    """papermill's own readers find parameters, times and statuses, in the form that it writes."""
    from papermill import inspect_notebook, iorw
    from papermill.engines import NotebookExecutionManager

    engine.cell()
    engine.end_cell()
    path = tmp_path / "executed.ipynb"
    path.write_text(json.dumps(engine.notebook()))
    book = iorw.load_notebook_node(str(path))
    ours = book.metadata.papermill.copy()
    cell = dict(book.cells[0].metadata.papermill)
    assert ours["parameters"] == {"lr": 0.1}
    assert inspect_notebook(str(path))["lr"]["default"] == "1"
    raw = nbformat.read(path, as_version=4)
    del raw.metadata["papermill"]
    path.write_text(nbformat.writes(raw))
    theirs = iorw.load_notebook_node(str(path))
    theirs.metadata.papermill |= {"input_path": "", "output_path": ""}
    NotebookExecutionManager(theirs, progress_bar=False).notebook_start()
    assert set(ours) == set(theirs.metadata.papermill)
    assert set(cell) == set(theirs.cells[0].metadata.papermill)
    assert dict(theirs.cells[3].metadata.papermill) == dict(book.cells[3].metadata.papermill)
    assert book.cells[3].metadata.tags == []


def test_where_the_output_goes() -> None:
    """The number is filled in, whatever else stands in the name."""
    arm = records.an_arm(output="/p/{x}/train_{number}.ipynb")
    assert arm.output_of(7) == "/p/{x}/train_7.ipynb"
    assert Path(arm.output_of(7)).name == "train_7.ipynb"
