"""Sources of parameters, recognised by their shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nbbg.errors import UsageError
from nbbg.ops import asked, shapes, sources

if TYPE_CHECKING:
    from pathlib import Path

CONFIGS = {
    "bank": {"notebook": "hello.ipynb", "output_label": "x", "lr": 1},
    "shop": {"notebook": "hello.ipynb", "lr": 2},
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _params(found: list[shapes.Given]) -> list[Any]:
    return [one.params for one in found]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2", [1, 2]),
        ("adam, sgd", ["adam", "sgd"]),
        ("1e-3,None,true,x", [0.001, None, True, "x"]),
        ("[1,2]", [[1, 2]]),
        ("[1,2],[3]", [[1, 2], [3]]),
        ('{"a": 1, "b": 2},3', [{"a": 1, "b": 2}, 3]),
        ('"1,2"', ["1,2"]),
        ('"a,b","c"', ["a,b", "c"]),
        ("[[1,2],[3,4]],[5]", [[[1, 2], [3, 4]], [5]]),
        ("", [""]),
        ("a=b", ["a=b"]),
        ("[1,2", ["[1,2"]),
    ],
)
def test_values_between_commas(text: str, values: list[Any]) -> None:
    """A comma separates values, unless it stands in quotes or brackets: JSON is one value."""
    assert asked.several("a", text) == values


@pytest.mark.parametrize("text", ["1,", ",1", "1,,2", ","])
def test_a_value_that_is_missing_between_commas(text: str) -> None:
    """Where a value is missing, the message has the text as it would be typed for a text."""
    with pytest.raises(UsageError, match=f"""as text: -p 'a="{text}"'"""):
        asked.several("a", text)


def test_lists_after_p_go_side_by_side_or_make_a_grid() -> None:
    """Lists of one length are zipped, beside single values; `--product` makes the grid."""
    given = ["a=1,2", "b=x,y", "c=0"]
    assert _params(sources.sets([], given)) == [
        {"a": 1, "b": "x", "c": 0},
        {"a": 2, "b": "y", "c": 0},
    ]
    grid = _params(sources.sets([], given, product=True))
    assert [(one["a"], one["b"]) for one in grid] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    with pytest.raises(UsageError, match=r"-p: .* a has 2, b has 3\n.*--product"):
        sources.sets([], ["a=1,2", "b=1,2,3"])


def test_shapes_of_a_file(tmp_path: Path) -> None:
    """Plain values are one set, also beside a list; lists alone a sweep; a list of sets is that."""
    path = tmp_path / "p.json"

    def read(value: Any, *, product: bool = False) -> list[Any]:
        path.write_text(json.dumps(value))
        return _params(sources.sets([str(path)], [], product=product))

    assert read({"a": 1, "b": {"c": 2}}) == [{"a": 1, "b": {"c": 2}}]
    assert read({"a": 1, "b": [2, 3]}) == [{"a": 1, "b": [2, 3]}]
    assert read({"a": [1, 2], "b": [3, 4]}) == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    assert len(read({"a": [1, 2], "b": [3, 4, 5]}, product=True)) == 6
    assert read([{"a": 1}, {"b": [2]}]) == [{"a": 1}, {"b": [2]}]


def test_p_goes_over_every_set(tmp_path: Path) -> None:
    """Values after `-p` win in every set of a file; lists of them are combined with each set."""
    (tmp_path / "p.yaml").write_text("a: [1, 2]\nb: [3, 4]\n")
    found = _params(sources.sets(["p.yaml"], ["b=0,9"]))
    assert found == [{"a": a, "b": b} for a in (1, 2) for b in (0, 9)]


def test_named_configurations(tmp_path: Path) -> None:
    """Each is whole, with its own notebook; its label is its own or its name; `-p` changes it."""
    (tmp_path / "c.json").write_text(json.dumps(CONFIGS))
    bank, shop = sources.sets(["c.json"], [])
    assert (bank.config, bank.label, bank.notebook) == (CONFIGS["bank"], "x", "hello.ipynb")
    assert (shop.config, shop.label, shop.params) == (CONFIGS["shop"], "shop", {})
    found = sources.sets(["c.json"], ["lr=5,6", "new=1"])
    assert [one.label for one in found] == ["x,lr=5", "x,lr=6", "shop,lr=5", "shop,lr=6"]
    assert found[1].config == {**CONFIGS["bank"], "lr": 6}
    assert found[1].params == {"new": 1}


def test_what_python_gives(tmp_path: Path) -> None:
    """From Python a single value goes beside lists; a path is read; NaN is a number there."""
    assert _params(sources.of_python({"a": [1, 2], "b": 3})) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]
    assert len(sources.of_python({"a": [1, 2], "b": range(3)}, product=True)) == 6
    assert sources.of_python({}) == [shapes.PLAIN]
    assert [one.label for one in sources.of_python(CONFIGS)] == ["x", "shop"]
    (tmp_path / "p.yaml").write_text("- {a: 1}\n- {a: 2}\n")
    assert _params(sources.of_python(tmp_path / "p.yaml")) == [{"a": 1}, {"a": 2}]
    with pytest.raises(UsageError, match=r"params\[1\]: 3 in a list of sets"):
        sources.of_python([{"a": 1}, 3])
    with pytest.raises(UsageError, match="3 can't be the name of a parameter"):
        sources.of_python({3: 1})


def test_arrays_and_numbers_of_numpy() -> None:
    """An array is a list of values, and a number of NumPy's is a number, wherever they stand."""
    given = {"a": np.arange(2), "b": np.int64(3), "c": [np.float32(0.5), 1]}
    found = _params(sources.of_python(given))
    assert found == [{"a": 0, "b": 3, "c": 0.5}, {"a": 1, "b": 3, "c": 1}]
    assert {type(value) for one in found for value in one.values()} == {int, float}


def test_profiles(tmp_path: Path) -> None:
    """A file whose entries all name `notebook_dir_or_file` holds profiles; some only is refused."""
    path = tmp_path / "p.yaml"
    path.write_text("one: {notebook_dir_or_file: a, notebook_params: b}\n")
    assert [profile.name for profile in sources.profiles(sources.read(["p.yaml"]))] == ["one"]
    path.write_text("one: {notebook_dir_or_file: a}\ntwo: {lr: 3}\n")
    with pytest.raises(UsageError, match=r"p.yaml:2:6: 'two' is not"):
        sources.profiles(sources.read(["p.yaml"]))
    path.write_text("lr: 3\n")
    assert sources.profiles(sources.read(["p.yaml"])) == []
