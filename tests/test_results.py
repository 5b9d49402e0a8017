"""Variables that a run keeps, and who gets them back in which form."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from nbbg.inside import kept
from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = """\
import pandas
frame = pandas.DataFrame(
    {"n": pandas.array([1, None], dtype="Int16"), "c": pandas.Categorical(["x", "y"])},
    index=pandas.date_range("2020", periods=2, tz="UTC", name="when"),
)"""


def python(project: Project, code: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program in the project, as its user would."""
    return subprocess.run(
        [PYTHON, "-c", code],
        cwd=project.root,
        env=project.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with a run that kept results of every kind."""
    folder = tmp_path_factory.mktemp("done")
    project = Project(folder / "project", folder / "home")
    for path in (project.root, project.root / ".git", project.home):
        path.mkdir()
    project.write(
        "train.ipynb",
        "import numpy, nbbg\naccuracy = numpy.float32(0.5)\nname = 'ada'\nlayers = [1, 2]\n"
        "class Net: pass\nnet = Net()\npair = (1, 2)\nlog = open('/dev/null')\n"
        "nbbg.log(loss=1.5)",
    )
    names = "accuracy,name,layers,net,pair,log"
    project.nbbg("run", "train.ipynb", "--results", names, "--wait")
    yield project
    project.end_all()


def test_how_results_are_shown(done: Project) -> None:
    """Numbers and text are columns; kind and size are told; a pickle is marked, and not loaded."""
    shown = done.nbbg("results")
    head, row = shown.stdout.splitlines()
    assert head.split()[6:] == ["accuracy", "name", "loss"]
    assert row.split()[-3:] == ["0.5", "ada", "1.5"]
    assert "layers (json), log (left out), net (pickle), pair (pickle)" in shown.stderr
    line = next(
        each for each in done.nbbg("show", "1").stdout.splitlines() if each[:7] == "results"
    )
    assert "layers (json, 5 B)" in line
    assert "log was not kept: TypeError" in line
    assert "pair (pickle, " in line
    found = json.loads(done.nbbg("results", "--json").stdout)[0]["results"]
    assert found == json.loads(done.nbbg("show", "1", "--json").stdout)["results"]
    assert (found["layers"]["kind"], found["layers"]["value"]) == ("json", [1, 2])
    assert (found["accuracy"]["kind"], found["accuracy"]["value"]) == ("pickle", 0.5)
    assert "value" not in found["pair"]


def test_one_result(done: Project) -> None:
    """JSON is printed; a pickle with `--trust` alone, by the interpreter that has its modules."""
    assert json.loads(done.nbbg("show", "1", "--result", "layers").stdout) == [1, 2]
    refused = done.nbbg("show", "1", "--result", "pair", code=2).stderr
    assert "loading one can execute anything" in refused
    assert "nbbg show 1 --result pair --trust" in refused
    assert done.nbbg("show", "1", "--result", "pair", "--trust").stdout == "(1, 2)\n"
    said = done.nbbg("show", "1", "--result", "net", "--trust", code=2).stderr
    assert "needs the class Net, which the notebook itself defines" in said
    assert "was not kept" in done.nbbg("show", "1", "--result", "log", code=2).stderr
    assert "it kept accuracy, " in done.nbbg("show", "1", "--result", "no", code=2).stderr


def test_results_from_python(done: Project) -> None:
    """`run.results()` gives JSON to everybody, and pickles to those who trust them."""
    said = python(
        done,
        "import nbbg\nrun = nbbg.runs()[0]\nfound = run.results()\n"
        "print(found['layers'], found['accuracy'], list(found))\n"
        "print(run.results(trust=True)['pair'])\n"
        "try:\n    found['pair']\nexcept nbbg.errors.UsageError as error:\n    print(error)\n"
        "import os; os.chmod(found.kept['pair'].path, 0o666)\n"
        "try:\n    run.results(trust=True)['pair']\n"
        "except nbbg.errors.StoreError as error:\n    print(error)\n"
        "os.chmod(found.kept['pair'].path, 0o600)\n",
    ).stdout
    assert "[1, 2] 0.5 ['accuracy', 'layers', 'log', 'name', 'net', 'pair']\n(1, 2)\n" in said
    assert "run.results(trust=True)" in said
    assert "is not your own file alone" in said


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_the_results_cell(project: Project, engine: str) -> None:
    """Without `--results` a cell tagged `results` says what is kept; with it, it does not."""
    path = project.write("train.ipynb", "x = 1", "y = 2 * x\nx, y", "z = 3")
    made = json.loads(path.read_text())
    made["cells"][1]["metadata"]["tags"] = ["results"]
    path.write_text(json.dumps(made))
    project.nbbg("run", "train.ipynb", "--engine", engine, "--wait")
    found = json.loads(project.nbbg("show", "1", "--json").stdout)["results"]
    assert {name: each["value"] for name, each in found.items()} == {"x": 1, "y": 2}
    if engine == "ipython":
        project.nbbg("run", "train.ipynb", "--results", "z", "--wait")
        assert list(json.loads(project.nbbg("show", "2", "--json").stdout)["results"]) == ["z"]


def test_names_of_results(project: Project) -> None:
    """A name that nothing assigns is told at launch; what is no name is refused."""
    project.write("train.ipynb", "table = 1")
    said = project.nbbg("run", "train.ipynb", "--results", "tabel, table", "--wait").stderr
    assert "nothing in it assigns tabel; did you mean table?" in said
    assert list(json.loads(project.nbbg("show", "1", "--json").stdout)["results"]) == ["table"]
    assert "../x" in project.nbbg("run", "train.ipynb", "--results", "../x", code=2).stderr


def test_run_notebook_gives_the_variables(project: Project) -> None:
    """Always a new run; DataFrames exact; None for what is not defined; with or without suffix."""
    project.write("report.ipynb", TABLE + "\nscale = 2.0 * factor", parameters="factor = 1")
    (project.root / "other.py").write_text("# %%\nvalue = (1, 2)\n")
    code = f"""
import asyncio, nbbg
{TABLE}

async def main():  # as in Jupyter, where a loop runs
    found, scale, nothing = nbbg.run_notebook(
        "report", results=["frame", "scale", "nothing"], params={{"factor": 3}}
    )
    pandas.testing.assert_frame_equal(found, frame, check_freq=True)
    print(scale, nothing)
    print(nbbg.run_notebook("report.ipynb", results=["scale"]))
    print(nbbg.run_notebook("other", results=["value"]), nbbg.run_notebook("other.py"))

asyncio.run(main())
print(len(nbbg.runs()))
"""
    said = python(project, code)
    assert said.stdout == "6.0 None\n(2.0,)\n((1, 2),) ()\n4\n", said.stderr


def test_run_notebook_in_jupyter(project: Project) -> None:
    """A notebook in a Jupyter kernel, whose loop runs, gets the variables of another."""
    project.write("report.ipynb", "pair = (1, 2)")
    project.write(
        "outer.ipynb",
        "import asyncio, nbbg\nasyncio.get_running_loop()",
        "print(nbbg.run_notebook('report', results=['pair']))",
    )
    project.nbbg("run", "outer.ipynb", "--engine", "kernel", "--wait")
    assert project.log(1).endswith("((1, 2),)\n")


def test_run_notebook_says_what_went_wrong(project: Project) -> None:
    """A failure names the cell; a variable that can't be had says why, in a sentence."""
    project.write("bad.ipynb", "x = 1", "raise ValueError('too hot')")
    project.write("odd.ipynb", "class Net: pass\nnet = Net()\nlog = open('/dev/null')")
    code = """
import nbbg
class Net: pass
for name, what in (("bad", ["x"]), ("odd", ["net"]), ("odd", ["log"]), ("odd", "net"), ("no", [])):
    try:
        nbbg.run_notebook(name, results=what)
    except nbbg.errors.NbbgError as error:
        print(type(error).__name__, error)
"""
    said = python(project, code).stdout
    assert "RunFailed run 1 of bad.ipynb: failed, cell 2: ValueError: too hot" in said
    assert "StoreError the result net needs the class Net, which the notebook itself" in said
    assert "RunFailed run 3: the result log was not kept: TypeError" in said
    assert "UsageError results='net': a list of names" in said
    assert "NotebookError no: " in said
    assert "Traceback" not in said


class Unwilling:
    """Fails when most of it is written."""

    def __reduce__(self) -> Any:
        """Refuse."""
        raise TypeError("never")


def test_a_pickle_is_whole_or_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a variable that fails in the middle its reason stays, and no part; the others are kept."""
    namespace = {"big": ["x" * 10**6, Unwilling()], "small": {1: 2}}
    kept.keep(namespace, ["big", "small", "gone"], str(tmp_path))
    folder = tmp_path / "results"
    assert sorted(os.listdir(folder)) == ["big.left-out", "small.pickle"]
    assert (folder / "big.left-out").read_text() == "TypeError: never"
    assert "the result 'big' was not kept" in capsys.readouterr().err
    assert kept.load(str(folder / "small.pickle")) == {1: 2}


def test_a_long_pickling_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who waits for gigabytes to be written reads now and then how many there are."""
    monkeypatch.setattr(kept, "FIRST_WORD", 0.0)
    kept.keep({"big": (b"x" * 3_000_000, b"y" * 4_000_000)}, ["big"], str(tmp_path))
    assert capsys.readouterr().err == "nbbg: keeping the result 'big': 0 MB so far\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "can't be loaded: EOFError"),
        (b"cgone_module\nGone\n.", "needs what .* does not have: No module named 'gone_module'"),
        (b"c__main__\nNet\n.", "needs the class Net"),
    ],
)
def test_a_pickle_that_can_not_be_loaded(tmp_path: Path, data: bytes, said: str) -> None:
    """What a pickle lacks here is said in a sentence, not in a traceback."""
    path = tmp_path / "x.pickle"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"the result x {said}"):
        kept.load(str(path))


def test_what_no_file_can_be_named_after(project: Project) -> None:
    """A result that can't even be left out in writing is said in the log; the run succeeded."""
    name = "a" * 245
    project.write("long.ipynb", f"{name} = 1\nother = 2")
    project.nbbg("run", "long.ipynb", "--results", f"{name},other", "--wait")
    assert "was not kept" in project.log(1)
    assert json.loads(project.nbbg("show", "1", "--result", "other").stdout) == 2


def test_what_lies_beside_the_notebook_is_not_pythons_own(project: Project) -> None:
    """A pickle is shown where the notebook lies, with its modules, and with Python's."""
    (project.root / "mine.py").write_text("class Point:\n    def __repr__(self): return 'here'\n")
    project.write("train.ipynb", "import mine\npoint = mine.Point()")
    project.nbbg("run", "train.ipynb", "--results", "point", "--wait")
    (project.root / "numbers.py").write_text("raise ImportError('not this one')")
    assert project.nbbg("show", "1", "--result", "point", "--trust").stdout == "here\n"


def test_a_broken_result_spoils_no_listing(project: Project) -> None:
    """What somebody has damaged is named, and all else is listed as ever."""
    project.write("train.ipynb", "accuracy = 0.5\nname = 'ada'")
    project.nbbg("run", "train.ipynb", "--results", "accuracy,name", "--wait")
    (project.attempt(1) / "results" / "name.json").write_text("no JSON")
    assert "ada" in project.nbbg("results").stdout  # as the index has kept it
    (project.root / ".nbbg" / "index.db").unlink()
    (project.batch("b1") / "events.jsonl").unlink()
    listed = project.nbbg("results")
    assert "0.5" in listed.stdout
    assert "name (json)" in listed.stderr
    found = json.loads(project.nbbg("show", "1", "--json").stdout)["results"]
    assert found["accuracy"]["value"] == 0.5
    assert "can't be read" in found["name"]["error"]
    assert "can't be read" in project.nbbg("show", "1", "--result", "name", code=2).stderr
