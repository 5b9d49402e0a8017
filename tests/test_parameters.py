"""What a notebook says about its parameters, and what of it a launch holds people to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbbg.notebook import parameters
from nbbg.notebook.kinds import Fit
from tests.project import Project, notebook

Json = dict[str, Any]


def declared(source: str | list[str]) -> dict[str, parameters.Parameter]:
    """What a notebook declares whose parameters cell is this."""
    made = notebook("lr", parameters="x")
    made["cells"][0]["source"] = source
    return parameters.declared(made)


def test_declared() -> None:
    """All that the tagged cell assigns is declared, in order, with the source of its default."""
    found = declared("lr: float = 1e-3\nepochs = 2 * 5\na, (b, *c) = f()\nseed: int\nx = y = None")
    assert {name: each.default for name, each in found.items()} == {
        "lr": "1e-3",
        "epochs": "2 * 5",
        "a": "",
        "b": "",
        "c": "",
        "seed": "",
        "x": "None",
        "y": "None",
    }
    assert (found["lr"].cell, found["epochs"].line) == (1, 2)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("%matplotlib inline\n!ls\nlr = 1\nlr?", ["lr"]),
        ("%%time\nlr = 1", ["lr"]),
        ("files = !ls\nlr = 1\nhome = %env HOME", ["files", "lr", "home"]),
        ("if 1:\n    !ls\nlr = 1", ["lr"]),
        ('text = """\n%not magic\n"""', ["text"]),
        ("%%bash\nlr=1", []),
        ("lr = = 1", []),
        (["a = 1\n", "b = 2"], ["a", "b"]),
    ],
)
def test_declared_beside_magics(source: str | list[str], names: list[str]) -> None:
    """IPython's own lines do not hide the names; what is no Python declares none."""
    assert list(declared(source)) == names


def test_nothing_is_declared_without_the_tag() -> None:
    """A notebook without a cell tagged `parameters` declares no names."""
    assert parameters.declared(notebook("lr = 1")) == {}


@pytest.mark.parametrize(
    ("source", "kind", "comment"),
    [
        ("x: float = 1", "float", ""),
        ("x = 1", "int", ""),
        ("x = 2 * 5", "", ""),
        ("x = 1  # how often", "int", "how often"),
        ("x = 1  # x: how often", "int", "how often"),
        ("x = 1  # type: float", "float", ""),
        ("x = 1  # type: float the rate", "float", "the rate"),
        ("x = []  # type: Dict[str, int]  # the map", "Dict[str, int]", "the map"),
        ("# x: how often\nx = 1", "int", "how often"),
        ("# Training\nx = 1", "int", ""),
        ('x = "#1"  # a number', "str", "a number"),
        ("x = [\n  1,  # one\n]  # all", "list", "all"),
        ("%time\nx = (1, 2)  # both", "tuple", "both"),
        ("x: int  # how often\nx = 3", "int", "how often"),
    ],
)
def test_types_and_comments(source: str, kind: str, comment: str) -> None:
    """A type is annotated, or said in papermill's comments, or that of the default."""
    found = declared(source)["x"]
    assert (found.kind, found.comment) == (kind, comment)


GOOD, ODD, BAD = Fit.GOOD, Fit.ODD, Fit.BAD


@pytest.mark.parametrize(
    ("source", "fits"),
    [
        ("x: float = 1", {GOOD: [1, 0.5, float("nan")], BAD: [True, "1", None, [1.0]]}),
        ("x: int = 1", {GOOD: [2], BAD: [1.0, True, "1"]}),
        ("x: bool = True", {GOOD: [False], BAD: [0, "no"]}),
        ("x: str = ''", {GOOD: ["007"], BAD: [7, None, True]}),
        ("x: int | None = 1", {GOOD: [2, None], BAD: ["a"]}),
        ("x: typing.Optional[int] = 1", {GOOD: [2, None], BAD: ["a"]}),
        ("x: Union[int, str] = 1", {GOOD: [2, "a"], BAD: [None, 1.5]}),
        ("x: 'int' = 1", {GOOD: [2], BAD: ["a"]}),
        ("x: float = None", {GOOD: [None, 1], BAD: ["a"]}),
        ("x: list[int] = []", {GOOD: [[], [1]], BAD: [["a"], 1, "a"]}),
        ("x: list = []", {GOOD: [["a"]], BAD: [{}]}),
        ("x: set[str] = set()", {GOOD: [["a"]], BAD: [[1], "a"]}),
        ("x: tuple[int, str] = (1, '')", {GOOD: [[1, "a"]], BAD: [[1], [1, 2], [1, "a", 2]]}),
        ("x: tuple[int, ...] = ()", {GOOD: [[], [1, 2]], BAD: [["a"]]}),
        ("x: dict[str, int] = {}", {GOOD: [{"a": 1}], BAD: [{"a": "b"}, []]}),
        ("x: Literal['a', 1, -1] = 'a'", {GOOD: ["a", 1, -1], BAD: ["b", True, 1.0]}),
        ("x: Annotated[int, 'x'] = 1", {GOOD: [1], BAD: ["a"]}),
        ("x: Any = 1", {GOOD: ["a", None, []]}),
        ("x: Path = Path()", {GOOD: ["a", 1]}),
        ("x: Optimizer = Optimizer.A", {GOOD: ["a", 1]}),
        ("x = 1  # type: int", {GOOD: [1], BAD: ["a"]}),
        ("x = 1", {GOOD: [2, 0.5, None], ODD: [True], BAD: ["a", [1], {}]}),
        ("x = 0.5", {GOOD: [2], BAD: ["a"]}),
        ("x = True", {GOOD: [False], ODD: [1], BAD: ["no"]}),
        ("x = 'auto'", {GOOD: ["a", None], ODD: [4, True, [1]]}),
        ("x = [1]", {GOOD: [["a"]], BAD: ["a", 1, {}]}),
        ("x = (1, 2)", {GOOD: [[3, 4]], BAD: [1]}),
        ("x = {}", {GOOD: [{"a": 1}], BAD: [[]]}),
        ("x = None", {GOOD: ["a", 1, []]}),
        ("x = f()", {GOOD: ["a", 1, []]}),
        ("x: 1 +", {}),
    ],
)
def test_what_fits(source: str, fits: dict[Fit, list[Any]]) -> None:
    """An annotation is strict, a default is soft, and what can't be judged takes everything."""
    for fit, values in fits.items():
        for value in values:
            assert declared(source)["x"].fits(value) is fit, value


def cells(*sources: str, tag: str = "results") -> Json:
    """A notebook whose cells all have a tag."""
    made = notebook(*sources)
    for cell in made["cells"]:
        cell["metadata"]["tags"] = [tag]
    return made


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a = 1\nb: int = 2"], ["a", "b"]),
        (["a = 1\na, table"], ["a", "table"]),
        (["table"], ["table"]),
        (["a = 1", "b = 2"], ["a", "b"]),
        (["%time\nprint(a)"], []),
    ],
)
def test_the_results_cell(sources: list[str], names: list[str]) -> None:
    """A cell tagged `results` names what it assigns, and the variables of its last line."""
    assert parameters.results(cells(*sources)) == names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = 1\nfor b in []: pass\nwith x as c: pass", {"a", "b", "c"}),
        ("import os.path, sys as d\ndef f(): e = 1\nclass G: pass", {"os", "d", "f", "e", "G"}),
        ("try: pass\nexcept E as h: pass\nif (i := 1): pass", {"h", "i"}),
        ("from os import *", None),
        ("exec('a = 1')", None),
        ("%run other.py", None),
        ("%%capture out\n1", None),
        ("x = !ls", None),
    ],
)
def test_what_is_assigned(source: str, names: set[str] | None) -> None:
    """Every name that code binds is found; where that can't be told, nothing is claimed."""
    assert parameters.assigned(notebook(source)) == names


def test_a_parameter_is_held_to_its_type(project: Project) -> None:
    """A value that the notebook can't mean is refused in two lines; `--allow-any-type` gives it."""
    project.write("train.ipynb", "print(repr(lr))", parameters="import os\nlr: float = 0.1")
    said = project.nbbg("run", "train.ipynb", "-p", "lr=abc", code=2).stderr
    assert said.splitlines() == [
        "nbbg: train.ipynb, cell 1, line 2: lr is float, and is given the text 'abc'",
        "to give it all the same: --allow-any-type",
    ]
    assert not (project.root / ".nbbg").exists()
    project.nbbg("run", "train.ipynb", "-p", "lr=abc", "--allow-any-type", "--wait")
    assert project.log(1) == "'abc'\n"


def test_what_is_meant_as_text_is_said(project: Project) -> None:
    """A number for a declared text is refused with the words that give it as text."""
    project.write("train.ipynb", "print(repr(tag))", parameters="tag: str = ''")
    said = project.nbbg("run", "train.ipynb", "-p", "tag=7", code=2).stderr
    assert """as text: -p 'tag="7"'""" in said
    project.nbbg("run", "train.ipynb", "-p", 'tag="7"', "--wait")
    assert project.log(1) == "'7'\n"


def test_what_is_odd_is_told(project: Project) -> None:
    """A number where the default is text, and a value that a second cell sets again, are notes."""
    made = notebook("n_jobs = 1", "print(n_jobs)", parameters="n_jobs = 'auto'")
    made["cells"][1]["metadata"]["tags"] = ["parameters"]
    (project.root / "train.ipynb").write_text(json.dumps(made))
    said = project.nbbg("run", "train.ipynb", "-p", "n_jobs=4", "--wait").stderr
    assert "n_jobs is str by its default 'auto', and is given the number 4" in said
    assert "cell 2 sets n_jobs again" in said


def test_an_unknown_parameter_is_refused_with_the_one_that_is_near(project: Project) -> None:
    """Nobody runs 20 seeds of a typing mistake."""
    project.write("train.ipynb", "lr", parameters="lr = 0.1\nepochs = 3")
    said = project.nbbg("run", "train.ipynb", "-p", "epoch=5", code=2).stderr
    assert "has a parameter epoch (known: epochs, lr)" in said
    assert "did you mean epochs?" in said
    project.write("bare.ipynb", "lr")
    said = project.nbbg("run", "bare.ipynb", "-p", "lr=5", code=2).stderr
    assert "nbbg show bare.ipynb says how to tag one" in said


def test_each_notebook_is_given_what_it_knows(project: Project) -> None:
    """Of several notebooks one must know a parameter, and those that do not are run without it."""
    project.write("a.ipynb", "print(lr, depth)", parameters="lr = 0.1\ndepth = 1")
    project.write("b.ipynb", "print(depth)", parameters="depth = 2")
    project.write("c.ipynb", "print('c')")
    names = ("a.ipynb", "b.ipynb", "c.ipynb")
    done = project.nbbg("run", *names, "-p", "lr=3", "-p", "depth=4", "--wait")
    assert [project.log(number) for number in (1, 2, 3)] == ["3 4\n", "4\n", "c\n"]
    assert [run["params"] for run in project.runs()] == [{"lr": 3, "depth": 4}, {"depth": 4}, {}]
    assert "b.ipynb has no parameter lr, and is not given it" in done.stderr
    assert "c.ipynb has no parameter lr, depth" in done.stderr


def test_new_parameters_go_to_all_that_may_use_them(project: Project) -> None:
    """With `--allow-new-params` what nobody declares is given to every notebook."""
    project.write("a.ipynb", "print(lr, new)", parameters="lr = 0.1")
    project.write("b.ipynb", "print(lr, new)")
    given = ("-p", "lr=3", "-p", "new=4", "--allow-new-params")
    project.nbbg("run", "a.ipynb", "b.ipynb", *given, "--wait")
    assert [project.log(number) for number in (1, 2)] == ["3 4\n", "3 4\n"]


def test_parameters_of_files(project: Project) -> None:
    """`-f` gives what a file says, a later file and `-p` over it; the run sees Python's values."""
    project.write(
        "train.ipynb", "print(lr, tag, layers, note)", parameters="lr=1.0\ntag=layers=note=None"
    )
    (project.root / "a.yaml").write_text("lr: 1e-3\ntag: 007\nlayers: [1, no]\nnote: a\n")
    (project.root / "b.json").write_text('{"note": null}')
    project.nbbg("run", "train.ipynb", "-f", "a.yaml", "-f", "b.json", "-p", "tag=no", "--wait")
    assert project.log(1) == "0.001 no [1, 'no'] None\n"
    (project.root / "a.yaml").write_text("lr: 1\nlr: 2\n")
    said = project.nbbg("run", "train.ipynb", "-f", "a.yaml", code=2).stderr
    assert said == "nbbg: a.yaml:2:1: 'lr' is there already, in line 1\n"


def test_show_lists_parameters(project: Project) -> None:
    """`nbbg show train.ipynb` is a table of them, and reads a script as well."""
    project.write("train.ipynb", "lr", parameters="lr: float = 0.1  # the rate\nfile = 'a b'")
    shown = project.nbbg("show", "train.ipynb").stdout
    assert [line.split() for line in shown.splitlines()] == [
        ["parameter", "type", "default", "comment"],
        ["lr", "float", "0.1", "the", "rate"],
        ["file", "str", "'a", "b'"],
    ]
    assert not (project.root / ".nbbg").exists()
    project.nbbg("convert", "train.ipynb")
    assert project.nbbg("show", "train.py").stdout == shown
    found = json.loads(project.nbbg("show", "train.py", "--json").stdout)
    assert found["tagged"]
    assert found["parameters"][0] == {
        "name": "lr",
        "type": "float",
        "default": "0.1",
        "comment": "the rate",
        "cell": 1,
        "line": 1,
    }


def test_show_says_how_to_tag(project: Project) -> None:
    """Without a tagged cell it is said how to make one; a missing file is bad input."""
    project.write("bare.ipynb", "lr = 1")
    assert "Add Tag: parameters" in project.nbbg("show", "bare.ipynb").stdout
    (project.root / "bare.py").write_text("# %%\nlr = 1\n")
    assert '# %% tags=["parameters"]' in project.nbbg("show", "bare.py").stdout
    assert json.loads(project.nbbg("show", "bare.ipynb", "--json").stdout)["tagged"] is False
    assert "gone.ipynb" in project.nbbg("show", "gone.ipynb", code=2).stderr
    assert "not both" in project.nbbg("show", "bare.ipynb", "7", code=2).stderr
