"""Notebooks and scripts that are none, or nearly."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg.notebook import document, page, scripts
from nbbg.notebook.interpreters import header
from nbbg.store import told
from tests.fuzz import odd
from tests.fuzz.trial import MORE, Trial, examples

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

pytestmark = pytest.mark.timeout(300 * MORE)

OUTPUTS: list[Any] = [
    {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]},
    {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["\x1b[31mE"]},
    {
        "output_type": "display_data",
        "metadata": {"image/png": {"width": 3}},
        "data": {"text/html": "<b>x</b>", "text/plain": ["x"], "image/png": "aGk="},
    },
    {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {
            "text/plain": "w",
            "application/vnd.jupyter.widget-view+json": {"model_id": "a"},
            "application/json": {"a": [1]},
            "text/markdown": "# a",
            "text/latex": "$x$",
            "image/svg+xml": "<svg><script>1</script></svg>",
        },
    },
]
NOTEBOOK: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "P", "language": "python"},
        "language_info": {"name": "python", "version": "3.11"},
        "jupytext": {"formats": "ipynb,py:percent", "text_representation": {"extension": ".py"}},
        "papermill": {"parameters": {"lr": 1}, "default_parameters": {}, "duration": 1.5},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
    },
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {"tags": ["parameters"]},
            "source": "# /// script\n# dependencies = ['x']\n# ///\nlr = 0.1  # rate\nn: int = 3\n",
            "outputs": [],
            "execution_count": None,
        },
        {
            "cell_type": "markdown",
            "id": "b",
            "metadata": {},
            "source": ["# t\n", "![x](attachment:p.png)"],
            "attachments": {"p.png": {"image/png": "aGk="}},
        },
        {
            "cell_type": "code",
            "id": "c",
            "metadata": {"tags": ["results", "raises-exception"], "papermill": {"status": "x"}},
            "source": ["%matplotlib inline\n", "!ls\n", "lr"],
            "outputs": OUTPUTS,
            "execution_count": 3,
        },
        {"cell_type": "raw", "id": "d", "metadata": {}, "source": "raw"},
    ],
}
OLD: dict[str, Any] = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "old"},
    "worksheets": [
        {
            "metadata": {},
            "cells": [
                {"cell_type": "heading", "level": 1, "metadata": {}, "source": "t"},
                {
                    "cell_type": "code",
                    "collapsed": False,
                    "input": ["lr = 1"],
                    "language": "python",
                    "metadata": {},
                    "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": ["1"]}],
                    "prompt_number": 1,
                },
            ],
        }
    ],
}
SCRIPT = """# /// script
# requires-python = ">=3.8"
# dependencies = ["numpy"]
# ///
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation: {extension: .py, format_name: percent, format_version: '1.3'}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Title

# %% tags=["parameters"]
lr = 0.1  # rate
steps: int = 3

# %% {"a": [1]} id="x" magic_args="-x"
# !ls
x = lr

# %% [raw]
# raw
"""


@st.composite
def notebooks(draw: DrawFn) -> str:
    """The text of a notebook with something wrong."""
    base = draw(st.sampled_from([NOTEBOOK, NOTEBOOK, OLD]))
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["[", '{"cells":', '{"a":{"b":'])) * draw(
            st.sampled_from([10, 1000, 100_000])
        )
    return odd.as_json(draw(odd.changed(base)), draw)


@st.composite
def percent_scripts(draw: DrawFn) -> str:
    """The text of a script with some lines gone, doubled or odd."""
    lines = SCRIPT.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(lines) - 1))
        how = draw(st.integers(0, 3))
        if how == 0 and len(lines) > 1:
            del lines[at]
        elif how == 1:
            lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
        elif how == 2:
            lines.insert(at, draw(odd.texts()))
        else:
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(odd.texts()) + lines[at][cut:]
    return "".join(lines)


@given(data=odd.broken(notebooks()))
@examples(60)
def test_a_notebook_is_launched_or_refused(trial: Trial, data: bytes) -> None:
    """`nbbg run -n` of any bytes named `.ipynb` says a plan or a sentence, and changes nothing."""
    trial.put("odd.ipynb", data)
    trial.command("run", "odd.ipynb", "-n", "--allow-new-params", "-p", "lr=2")


@given(data=odd.broken(notebooks()))
@examples(60)
def test_a_notebook_is_shown_or_refused(trial: Trial, data: bytes) -> None:
    """So do the commands that read a notebook or compare it with its script."""
    trial.put("odd.ipynb", data)
    for words in (("show",), ("show", "--json"), ("check",), ("convert", "-n"), ("sync", "-n")):
        trial.command(*words, "odd.ipynb")


@given(data=odd.broken(percent_scripts()))
@examples(40)
def test_a_script_is_launched_or_refused(trial: Trial, data: bytes) -> None:
    """`nbbg run -n` of any bytes named `.py` says a plan or a sentence, and changes nothing."""
    trial.put("script.py", data)
    trial.command("run", "script.py", "-n")
    trial.command("show", "script.py")
    trial.command("check", "script.py")


@given(data=odd.broken(percent_scripts()))
@examples(40)
def test_a_script_is_read_or_refused(trial: Trial, data: bytes) -> None:
    """Any script is read as a notebook that can be frozen, or refused."""
    path = trial.put("script.py", data)
    found = trial.call(document.load, path)
    if found:
        json.dumps(found.notebook).encode()
        trial.call(header.read, found.notebook, path)
    trial.call(scripts.read, path)


def _outputs(found: Any) -> list[Any]:
    kept = []
    for output in found if isinstance(found, list) else ():
        with contextlib.suppress(*told.BROKEN):
            is_stream = output["output_type"] == "stream"
            kept.append({**OUTPUTS[0], "text": output["text"]} if is_stream else told.whole(output))
    return kept


@given(notebook=odd.changed(NOTEBOOK), title=odd.texts())
@examples(60)
def test_a_page_is_made_of_anything(trial: Trial, notebook: Any, title: str) -> None:
    """The page of any notebook that can be read is made, and nothing in it is a script."""
    path = trial.put("odd.ipynb", json.dumps(notebook).encode())
    if trial.call(document.load, path) is None:
        return
    read = {"metadata": {}, **json.loads(path.read_bytes())}
    for cell in read["cells"]:
        if cell["cell_type"] == "code":  # as a journal gives them
            cell["outputs"] = _outputs(cell.get("outputs"))
    html = trial.call(page.render, read, title, title)
    assert b"<script" not in html.lower()
