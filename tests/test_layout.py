"""Where outputs go: templates, parts of names, and names that no value can spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg.errors import UsageError
from nbbg.ops import layout
from nbbg.ops.layout import Layout, Subject

if TYPE_CHECKING:
    from pathlib import Path

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def _output(how: Layout, *, rest: str = "", several: bool = False, **values: Any) -> str:
    about = Subject("/p", "/p/nb/train.ipynb", rest, values, 3, several=several, configured=False)
    return layout.output(how, about)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{notebook}/{lr}-{number}.ipynb", "/o/train/0.1-{number}.ipynb"),
        ("{arm}/{seed}_{run}", "/o/lr=0.1_x/{seed}_{run}.ipynb"),
        ("a/{tag}", "/o/a/x_y.ipynb"),
    ],
)
def test_a_template_is_filled_in(template: str, path: str) -> None:
    """Parameters and names are filled in at launch; what is a run's stays for the run."""
    found = _output(Layout("/o", template), rest="lr=0.1/x", lr=0.1, tag="x/y")
    assert found == path


def test_an_empty_field_takes_its_separator_with_it() -> None:
    """Without parameters `{arm}` is empty, and no separator is left over."""
    assert _output(Layout("/o", "{notebook}_{arm}_{number}")) == "/o/train_{number}.ipynb"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{nowhere}", r"there is no \{nowhere\}; there are: arm, lr, notebook, number, run, seed"),
        ("{lr:.2f}", "names alone stand in braces"),
        ("{lr!r}", "names alone stand in braces"),
        ("{}", "names alone stand in braces"),
        ("{lr", "--output"),
        ("{arm}", "leaves no name for a file"),
    ],
)
def test_a_template_that_cannot_be_meant(template: str, said: str) -> None:
    """An unknown field is refused with the known ones, and so is what is no template."""
    with pytest.raises(UsageError, match=said):
        _output(Layout("/o", template), lr=0.1)


@pytest.mark.parametrize(
    ("prepend", "append", "name"),
    [
        (["x", "y", "results"], None, "0-45-results-train.ipynb"),
        (None, ["done"], "3-train-done.ipynb"),
        ([], [], "train.ipynb"),
        (["none", "flag"], ["x"], "None-True-train-0.ipynb"),
    ],
)
def test_names_of_parts(prepend: list[str] | None, append: list[str] | None, name: str) -> None:
    """As millrun names them: values of keys, words as they are, else the index of the set."""
    found = _output(Layout("/o", "", prepend, append), x=0, y=45, none=None, flag=True)
    assert found == f"/o/{name}"


def test_several_runs_of_one_name_have_their_numbers() -> None:
    """Parts of names do not tell runs apart, so the number does where there are several."""
    assert _output(Layout("/o", "", ["a"]), several=True) == "/o/a-train-{number}.ipynb"


@given(VALUES | st.lists(VALUES) | st.dictionaries(st.text(), VALUES))
def test_any_value_is_part_of_a_file_name(value: Any) -> None:
    """No value leads out of the folder, hides the file, or leaves braces that a run fills in."""
    path = _output(Layout("/o", "", ["v"]), v=value)
    assert path.startswith("/o/")
    assert path.count("/") == 2
    assert not path.startswith("/o/.")
    assert not {"{", "}", "\0"} & set(path)
    path.encode()


def test_a_name_that_is_too_long_is_refused() -> None:
    """Several long values may come to a name that no file system takes."""
    with pytest.raises(UsageError, match="it is too long"):
        _output(Layout("/o", "", ["a", "b", "c"]), a="x" * 100, b="y" * 100, c="z" * 100)


def test_a_file_under_two_paths_is_one_file(tmp_path: Path) -> None:
    """Links and `..` hide no clash; folders that are not there yet are told by their names."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    real, link = f"{tmp_path}/real", f"{tmp_path}/link"
    for one, other in [
        (f"{real}/a.ipynb", f"{link}/a.ipynb"),
        (f"{real}/new/a.ipynb", f"{link}/new/a.ipynb"),
        (f"{tmp_path}/a.ipynb", f"{link}/../a.ipynb"),
    ]:
        assert layout.clash([(one, "one"), (other, "other")]) == (other, "one", "other")
    assert layout.clash([(f"{real}/a.ipynb", "one"), (f"{tmp_path}/a.ipynb", "other")]) is None
