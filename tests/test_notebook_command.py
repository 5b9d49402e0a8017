"""`nbbg notebook`: as a file, as a page, and back into the user's own notebook."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.project import Project, until

CELLS = ("print('seen', lr)\nlr", "import os\nassert os.environ['RUN_NUMBER'] == '1', '<b>no</b>'")
Json = dict[str, Any]


@pytest.fixture
def ran(project: Project) -> Project:
    """A project with a pair whose run 1 has succeeded, and run 2 failed."""
    path = project.write("train.ipynb", *CELLS, parameters="lr = 1")
    notebook = json.loads(path.read_text())
    notebook["cells"].insert(
        0, {"cell_type": "markdown", "id": "md", "metadata": {}, "source": "t"}
    )
    notebook["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old"}]
    path.write_text(json.dumps(notebook, indent=2))
    project.nbbg("pair", "train.ipynb")
    project.nbbg("run", "train.ipynb", "-p", "lr=2", "--runs", "2", "-j", "2", "--wait", code=1)
    return project


def outputs(path: Path) -> list[list[Json]]:
    """The outputs of the code cells of a valid notebook."""
    notebook = json.loads(path.read_text())
    nbformat.validate(notebook)
    return [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_into_the_notebook(ran: Project) -> None:
    """Outputs and counts come back, and nothing else changes: not the script, not the mode."""
    path, script = ran.root / "train.ipynb", ran.root / "train.py"
    path.chmod(0o640)
    before, text, stamp = path.read_text(), script.read_text(), script.stat().st_mtime_ns
    said = ran.nbbg("notebook", "1", "--into", "train.ipynb").stderr
    assert said == (
        "train.ipynb: outputs of run 1, succeeded; the version before is .train.ipynb.~1~\n"
    )
    parameters, shown, last = outputs(path)
    assert parameters == last == []
    assert [output["output_type"] for output in shown] == ["stream", "execute_result"]
    assert shown[0]["text"] == ["seen 2\n"]
    assert (ran.root / ".train.ipynb.~1~").read_text() == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_text().startswith('{\n  "')
    now, then = json.loads(path.read_text()), json.loads(before)
    for notebook in (now, then):
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    assert now == then
    assert (script.read_text(), script.stat().st_mtime_ns) == (text, stamp)
    ran.nbbg("check")
    again = path.stat()
    assert "already" in ran.nbbg("notebook", "1", "--into", "train.ipynb").stderr
    assert path.stat().st_mtime_ns == again.st_mtime_ns
    assert "failed" in ran.nbbg("notebook", "2", "--into", "train.ipynb").stderr
    assert outputs(path)[2][0]["ename"] == "AssertionError"


def test_into_a_notebook_that_is_another(ran: Project) -> None:
    """Where the code is not what was run, or there is no place for outputs, nothing changes."""
    path = ran.root / "train.ipynb"
    notebook = json.loads(path.read_text())
    changes = {
        "code cell 2 (changed) has changed": [*notebook["cells"][:2], None, notebook["cells"][3]],
        "code cell 3 (import os) is gone": notebook["cells"][:3],
        "code cell 4 (changed) is new": [*notebook["cells"], None],
    }
    other = {**notebook["cells"][2], "source": "changed", "id": "new"}
    for says, cells in changes.items():
        path.write_text(json.dumps({**notebook, "cells": [cell or other for cell in cells]}))
        before = path.read_text()
        error = ran.nbbg("notebook", "1", "--into", "train.ipynb", code=2).stderr
        assert error == (
            f"nbbg: train.ipynb: its code is not what run 1 has executed: {says}\n"
            "nbbg notebook 1 -o FILE.ipynb writes the notebook of the run\n"
        )
        assert path.read_text() == before
    for name, says in {
        "train.py": "a script holds no outputs; its notebook does\nnbbg notebook 1 --into train",
        "other.py": "a script holds no outputs; pair it with a notebook first\nnbbg pair other.py",
        "missing.ipynb": "no such file",
        "train.txt": "is no .ipynb",
    }.items():
        assert says in ran.nbbg("notebook", "1", "--into", name, code=2).stderr
    error = ran.nbbg("notebook", "1", "--into", "train.ipynb", "--html", code=2).stderr
    assert "leave out -o and --html" in error
    assert [name for name in os.listdir(ran.root) if "~" in name] == []


def test_as_a_page_and_as_a_file(ran: Project) -> None:
    """Both say at their top what went wrong; a file that nbbg did not make is left alone."""
    ran.nbbg("notebook", "2", "--html")
    ran.nbbg("notebook", "2", "--html")
    page = (ran.root / "train_run2.html").read_text()
    assert "failed: cell 4: AssertionError: &lt;b&gt;no&lt;/b&gt;" in page
    assert "<b>no" not in page
    (ran.root / "mine.html").write_text("<p>mine")
    assert (
        "did not make it" in ran.nbbg("notebook", "2", "--html", "-o", "mine.html", code=2).stderr
    )
    no_folder = ran.nbbg("notebook", "2", "-o", "none/two.ipynb", code=2).stderr
    assert "there is no folder none\nmkdir -p none" in no_folder
    ran.nbbg("notebook", "2", "-o", "two.ipynb")
    put_out = Path(ran.run(2)["output"])
    assert (ran.root / "two.ipynb").stat().st_mode == put_out.stat().st_mode  # the user's own
    for path in (ran.root / "two.ipynb", Path(ran.run(2)["output"])):
        notebook = json.loads(path.read_text())
        nbformat.validate(notebook)
        assert "AssertionError: &lt;b&gt;no&lt;/b&gt;" in notebook["cells"][0]["source"]
        assert notebook["cells"][-2]["metadata"]["tags"] == ["papermill-error-cell-tag"]
    assert ran.nbbg("notebook", "1", "--html", "-o", "-").stdout.startswith("<!DOCTYPE html>")


def test_the_output_cap(project: Project) -> None:
    """The cap of the launch holds, for the file of the run too, until somebody names another."""
    project.write("train.ipynb", "for i in range(20000):\n    print(i)")
    project.nbbg("run", "train.ipynb", "--output-cap", "10kB", "--wait")
    capped = json.loads(Path(project.run(1)["output"]).read_text())
    (output,) = capped["cells"][0]["outputs"]
    assert "left out here; all of it: nbbg logs 1]" in output["text"]
    assert len(output["text"]) < 12_000
    assert project.executed(1)["cells"] == capped["cells"]
    whole = "".join(f"{i}\n" for i in range(20000))
    project.environment["NBBG_OUTPUT_CAP"] = "0"
    assert project.executed(1)["cells"][0]["outputs"][0]["text"] == whole
    assert project.nbbg("logs", "1").stdout == whole
    assert "a size such as" in project.nbbg("notebook", "1", "--output-cap", "x", code=2).stderr


def test_while_it_runs(project: Project) -> None:
    """The notebook of a running cell is whole at any instant, and goes back in as far as it is."""
    path = project.write("train.ipynb", "print('so far', end='')\nimport time\ntime.sleep(60)")
    project.nbbg("run", "train.ipynb")
    project.until_running(1, "so far")
    until(lambda: project.executed(1)["cells"][0]["outputs"] != [])
    assert "so far" in project.nbbg("notebook", "1", "--into", "train.ipynb").stderr
    assert outputs(path)[0][0]["text"] == ["so far"]
