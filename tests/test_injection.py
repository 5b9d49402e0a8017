"""Parameters in a notebook: where the injected cell stands, and what it says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg.notebook import injection

Json = dict[str, Any]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def code(source: str | list[str], *tags: str) -> Json:
    """A code cell."""
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": []}


def notebook(*cells: Json, minor: int = 5, **metadata: Any) -> Json:
    """A notebook of these cells."""
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": list(cells)}


def sources(of: Json) -> list[str]:
    """The sources of all cells."""
    return [injection.source_of(cell) for cell in of["cells"]]


def test_after_the_parameters_cell() -> None:
    """The injected cell follows the first cell tagged `parameters`, and is tagged itself."""
    given_ = notebook(
        code("import os"), code("lr = 1", "parameters"), code("x", "parameters"), code("lr")
    )
    made = injection.inject(given_, {"lr": 0.1, "name": "it's"})
    assert sources(made)[1:4] == ["lr = 1", '# Parameters\nlr = 0.1\nname = "it\'s"', "x"]
    injected = made["cells"][2]
    assert injected["metadata"]["tags"] == ["injected-parameters"]
    assert injected["id"] == "injected-parameters"
    assert len(given_["cells"]) == 4


def test_at_the_top() -> None:
    """Without a tagged cell the injected one is the first; older formats have no cell ids."""
    made = injection.inject(notebook(code("x"), minor=4), {"x": None})
    assert sources(made) == ["# Parameters\nx = None", "x"]
    assert "id" not in made["cells"][0]


def test_replaces_an_earlier_one() -> None:
    """A cell that papermill or an earlier run injected is replaced where it stands."""
    before = notebook(
        code("lr = 1", "parameters"), code("y"), code("lr = 2", "injected-parameters"), code("z")
    )
    once = injection.inject(before, {"lr": 3})
    assert sources(once) == ["lr = 1", "y", "# Parameters\nlr = 3", "z"]
    assert injection.inject(once, {"lr": 3}) == once


def test_a_cell_id_is_never_taken_twice() -> None:
    """The injected cell's id is another where a cell of the notebook has it."""
    taken = {**code("x"), "id": "injected-parameters"}
    made = injection.inject(notebook(taken), {"x": 1})
    assert made["cells"][0]["id"] == "injected-parameters-2"


def test_without_parameters_nothing_changes() -> None:
    """No parameters, no cell: the notebook comes back as it is."""
    given_ = notebook(code("lr = 1", "parameters"), language_info={"name": "R"})
    assert injection.inject(given_, {}) == given_


@pytest.mark.parametrize(
    "metadata", [{"kernelspec": {"language": "R"}}, {"language_info": {"name": "julia"}}]
)
def test_only_python(metadata: Json) -> None:
    """A notebook in another language is refused by a sentence that names it."""
    with pytest.raises(ValueError, match="only injected into Python notebooks"):
        injection.inject(notebook(code("1"), **metadata), {"x": 1})


@pytest.mark.parametrize("name", ["a-b", "class", "1x", ""])
def test_a_name_that_python_does_not_have(name: str) -> None:
    """What can't be assigned is refused, not written into the notebook."""
    with pytest.raises(ValueError, match="can't be the name of a parameter"):
        injection.inject(notebook(), {name: 1})


def test_a_value_that_json_does_not_have() -> None:
    """What has no literal is refused."""
    with pytest.raises(ValueError, match="not a set"):
        injection.literal({1})


@given(VALUES)
def test_literals_mean_the_value(value: Any) -> None:
    """Whatever JSON holds, NaN and infinities too, is what the injected line assigns."""
    names: Json = {}
    exec(f"value = {injection.literal(value)}", names)  # noqa: S102 - what the notebook does
    assert same(names["value"], value)


def same(one: Any, other: Any) -> bool:
    """Equal, types included, NaN equal to itself."""
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return type(one) is type(other) and bool(one == other)


def test_code_cells() -> None:
    """Code cells are found among the others."""
    text = {"cell_type": "markdown", "metadata": {}, "source": "# Title"}
    assert injection.code_cells(notebook(text, code("1"), text, code("2"))) == [1, 3]
