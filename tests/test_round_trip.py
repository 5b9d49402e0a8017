"""Round trips of generated notebooks, scripts and edits; NBBG_EXAMPLES=20: twenty times as many."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jupytext
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nbbg.errors import NotebookError
from nbbg.notebook import agreement, conversion, fitting, ipynb, pairing, scripts
from tests.memory import Kept

if TYPE_CHECKING:
    from collections.abc import Callable

MORE = int(os.environ.get("NBBG_EXAMPLES", "1"))
pytestmark = pytest.mark.timeout(300 * MORE)  # on a busy machine
PYTHON = {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}}

COMMANDS = ["!ls", "%time x", "%%bash", "%%time", "%%writefile a.py", "%%!", "%%html", "ls -l"]
COMMANDS += [
    "x = !ls",
    "y = %time 1",
    "?x",
    "x?",
    "    !ls",
    "    %time f(x)",
    "!echo a \\",
    "%cd /",
]
COMMANDS += [
    "cat a b",
    "rm -rf /",
    "%b)",
    "%",
    "!",
    "%%",
    "z?? ",
    "!{x}",
    "%load_ext a  # noescape",
]
COMMENTS = [
    "# rm x",
    "# !touch y",
    "# ls",
    "# why?",
    "# copy the data",
    "# # rm x",
    "#!ls",
    "# %cd /",
]
COMMENTS += [
    "# x = !ls",
    "#",
    "##",
    "# %time",
    "#   !ls",
    "# text",
    "#!/bin/sh",
    "# +",
    "# -",
    "# ?x",
]
PYTHONS = [
    "x = 1",
    "",
    "    y = 2",
    "ls += [1]",
    "ls = []",
    "cat = 2",
    "it's",
    's = "# %%"',
    "x = (1,",
]
PYTHONS += [
    "for i in x:",
    "\ty",
    "x \\",
    "'''",
    '"""',
    "await f()",
    "é = '\U0001f600'",
    "copy(x)",
    "}",
]
MARKERS = [
    "# %%",
    "# %% [markdown]",
    "# In[1]:",
    "# region",
    "# ---",
    "# jupyter:",
    "# %% x",
    "#%%",
]

LINES = st.sampled_from(COMMANDS + COMMENTS + PYTHONS + MARKERS)
SOURCES = st.lists(LINES, max_size=5).map("\n".join)
KINDS = st.sampled_from(["code", "code", "code", "markdown", "raw"])
TAGS = st.lists(st.sampled_from(["parameters", "a b", "skip-execution"]), max_size=2, unique=True)


@st.composite
def cells(draw: Callable[..., Any]) -> dict[str, Any]:
    """A cell, with outputs where it is code."""
    kind, tags = draw(KINDS), draw(TAGS)
    output = {"output_type": "stream", "name": "stdout", "text": "o"}
    more = {"outputs": [output], "execution_count": 3} if kind == "code" else {}
    return {
        "cell_type": kind,
        "metadata": {"tags": tags} if tags else {},
        "source": draw(SOURCES),
        **more,
    }


NOTEBOOKS = st.lists(cells(), min_size=1, max_size=5)


def many(number: int) -> Callable[[Any], Any]:
    """So many examples, the same ones each time."""
    return settings(
        max_examples=number * MORE,
        deadline=None,
        derandomize=MORE == 1,
        database=None,
        phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes, and says little more
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def write(made: list[dict[str, Any]]) -> Path:
    """Write the notebook into an empty folder."""
    for path in Path().iterdir():
        path.unlink()
    made = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(made)]
    notebook = {"cells": made, "metadata": PYTHON, "nbformat": 4, "nbformat_minor": 5}
    Path("a.ipynb").write_text(json.dumps(notebook))
    return Path("a.ipynb")


def read(name: str) -> list[dict[str, Any]]:
    """The cells of a notebook, each source one string."""
    found = json.loads(Path(name).read_text())["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found]


def told(found: list[Any]) -> list[tuple[str, str, Any]]:
    """Kind, source and tags of each cell; space at the end is left out."""
    return [
        (cell["cell_type"], cell["source"].rstrip(), cell["metadata"].get("tags", []))
        for cell in found
    ]


@given(NOTEBOOKS)
@many(1500)
def test_a_text_comes_back(made: list[dict[str, Any]]) -> None:
    """The text of a notebook's script reads back as it, for jupytext alike, or a loss is found."""
    notebook = {"cells": made, "metadata": PYTHON, "nbformat": 4, "nbformat_minor": 4}
    place, form = Path("a.py"), {"extension": ".py", "format_name": "percent"}
    fit = fitting.fitted(notebook, [(place, form)])
    text = scripts.writes(fit, place, form)
    back = jupytext.reads(text, "py")
    if agreement.first_loss(fit, back) is None:
        assert told(back.cells) == told(made)
        again = scripts.writes(scripts.reads(text, place, form), place, form)
        assert told(jupytext.reads(again, "py").cells) == told(made)


@given(NOTEBOOKS)
@many(120)
def test_a_notebook_comes_back(made: list[dict[str, Any]]) -> None:
    """A notebook is the same after a script, for nbbg and jupytext, or refused; idempotent."""
    memory, book = Kept(), write(made)
    before = book.read_bytes()
    try:
        conversion.convert(book, memory)
    except NotebookError:
        assert [path.name for path in Path().iterdir()] == ["a.ipynb"]
        return
    assert book.read_bytes() == before
    assert told(jupytext.read("a.py").cells) == told(made)
    script = Path("a.py").read_bytes()
    assert not conversion.convert(book, memory).changed
    assert not conversion.convert(Path("a.py"), memory).changed
    conversion.convert(Path("a.py"), memory, "", Path("b.ipynb"))
    assert told(read("b.ipynb")) == told(made)
    book.unlink()
    conversion.convert(Path("a.py"), memory)
    assert told(read("a.ipynb")) == told(made)
    conversion.convert(book, memory)
    assert Path("a.py").read_bytes() == script


@given(st.lists(LINES, max_size=14))
@many(200)
def test_a_foreign_script_keeps_its_comments(lines: list[str]) -> None:
    """Each line of a script is in its notebook, and comes back as it was, or it is refused."""
    for path in Path().iterdir():
        path.unlink()
    text = "\n".join(["# %%", *lines]) + "\n"
    Path("a.py").write_text(text)
    memory = Kept()
    try:
        conversion.convert(Path("a.py"), memory)
    except NotebookError:
        assert [path.name for path in Path().iterdir()] == ["a.py"]
        return
    found = [cell["source"].split("\n") for cell in read("a.ipynb") if cell["cell_type"] == "code"]
    for line in {line for source in found for line in source}:
        assert not line.strip() or line in lines
    assert not conversion.convert(Path("a.ipynb"), memory).changed
    assert Path("a.py").read_text() == text
    conversion.convert(Path("a.ipynb"), memory, "", Path("b.py"))
    mine, other = (_written(path) for path in ("a.py", "b.py"))
    assert mine == other
    assert told(jupytext.read("b.py").cells) == told(read("a.ipynb"))
    conversion.convert(Path("b.py"), Kept(), "", Path("c.ipynb"))
    assert told(read("c.ipynb")) == told(read("a.ipynb"))


def _written(name: str) -> list[str]:
    """The lines of a script that are neither header, markers nor blank."""
    lines = [line.rstrip() for line in scripts.body(Path(name).read_text()).splitlines()]
    return [line for line in lines if line and not conversion.MARKER.match(line)]


@given(NOTEBOOKS, st.integers(0, 4), SOURCES)
@many(100)
def test_an_edit_of_either_side_arrives(made: list[Any], place: int, source: str) -> None:
    """Within a pair the other cells keep all that they have, whichever side is edited."""
    memory, book = Kept(), write(made)
    try:
        pairing.pair(book, memory)
    except NotebookError:
        assert [path.name for path in Path().iterdir()] == ["a.ipynb"]
        return
    assert [{**cell, "source": ""} for cell in _unmarked(read("a.ipynb"))] == [
        {**cell, "source": "", "id": f"cell-{number}"} for number, cell in enumerate(made)
    ]
    assert not pairing.sync(book, memory).changed
    notebook = json.loads(book.read_text())
    notebook["cells"][place % len(made)]["source"] = source
    book.write_text(json.dumps(notebook))
    try:
        pairing.sync(book, memory)
    except NotebookError:
        assert json.loads(book.read_text()) == notebook
        return
    after = read("a.ipynb")
    assert [cell["source"] for cell in after] == ["".join(c["source"]) for c in notebook["cells"]]
    assert told(jupytext.read("a.py").cells) == told(after)
    Path("a.py").write_text(Path("a.py").read_text() + "\n# %%\nlast = 1\n")
    pairing.sync(book, memory)
    assert _laid_out(read("a.ipynb")[:-1]) == _laid_out(after)
    assert read("a.ipynb")[-1]["source"] == "last = 1"
    assert not pairing.sync(book, memory).changed
    assert told(jupytext.read("a.py").cells) == told(read("a.ipynb"))


def _laid_out(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells without what jupytext notes about blank lines between them."""
    for cell in found:
        for key in ipynb.LAYOUT:
            cell["metadata"].pop(key, None)
    return found


def _unmarked(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells without the mark of those that a script would break."""
    for cell in found:
        cell["metadata"].pop("active", None)
    return found


@given(st.lists(LINES, min_size=1, max_size=6))
@many(150)
def test_a_comment_added_to_a_conversion_stays_one(lines: list[str]) -> None:
    """What nbbg commented comes back, and a comment that a person added is never un-commented."""
    memory = Kept()
    cell: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    book = write([dict(cell, source="\n".join(["first = 1", *lines]))])
    try:
        conversion.convert(book, memory)
    except NotebookError:
        return
    text = Path("a.py").read_text()
    added = [line for line in COMMENTS[:10] if line not in text]
    Path("a.py").write_text(text + "\n# %%\n" + "\n".join([*added, "added = 1"]) + "\n")
    book.unlink()
    try:
        conversion.convert(Path("a.py"), memory)
    except NotebookError:
        return
    first, last = read("a.ipynb")[0], read("a.ipynb")[-1]
    known = {line.strip() for line in lines}
    assert first["source"].rstrip() == "\n".join(["first = 1", *lines]).rstrip()
    for line in last["source"].split("\n"):
        assert line in [*added, "added = 1"] or line.strip() in known
