"""Names of arms and of their outputs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg import model
from nbbg.ops import layout, naming

LR = {"lr": 0.1}


@pytest.mark.parametrize(
    ("notebook", "params", "seed", "taken", "name"),
    [
        ("train.ipynb", {}, 0, [], "train"),
        ("sub/train.py", {}, 0, [], "train"),
        ("sub/train.py", {}, 0, ["train"], "sub/train"),
        ("train.py", {}, 0, ["train"], "train.py"),
        ("train.ipynb", {}, 7, ["train"], "train/seed=7"),
        ("train.ipynb", LR, 0, ["train"], "train/lr=0.1"),
        ("train.ipynb", {"b": True, "a": None}, 0, [], "train/a=null,b=true"),
        ("train.ipynb", {"a": "x" * 60}, 0, [], f"train/a={'x' * 29}...42f2d973"),
        ("train.ipynb", LR, 0, ["train/lr=0.1", "train.ipynb/lr=0.1"], "train/lr=0.1/2"),
        ("/home/me/train.ipynb", {}, 0, ["train"], "home/me/train"),
    ],
)
def test_the_shortest_free_name(
    notebook: str, params: dict[str, object], seed: int, taken: list[str], name: str
) -> None:
    """An arm has the shortest form that no other arm of the project has."""
    assert naming.shortest(notebook, params, seed, set(taken)) == name


@given(st.lists(st.sampled_from(["a/t.ipynb", "b/t.ipynb", "t.py", "t.ipynb"]), max_size=12))
def test_names_are_unique(notebooks: list[str]) -> None:
    """However many arms there are, no two have one name."""
    taken: set[str] = set()
    for notebook in notebooks:
        taken.add(naming.shortest(notebook, LR, 0, taken))
    assert len(taken) == len(notebooks)


@pytest.mark.parametrize(
    ("notebook", "arm", "path"),
    [
        ("train.ipynb", "train", "/p/outputs/train/train_{number}.ipynb"),
        ("train.ipynb", "train/lr=0.1", "/p/outputs/train/lr=0.1/train_lr=0.1_{number}.ipynb"),
        ("train.ipynb", "training", "/p/outputs/train/training/train_training_{number}.ipynb"),
        ("sub/train.py", "sub/train", "/p/outputs/train/sub_train/train_sub_train_{number}.ipynb"),
        (
            "train.ipynb",
            "train/p=../../x",
            "/p/outputs/train/p=.._.._x/train_p=.._.._x_{number}.ipynb",
        ),
    ],
)
def test_outputs_lie_in_the_project(notebook: str, arm: str, path: str) -> None:
    """Each arm has a folder of outputs of its own, whatever its parameters are."""
    rest = naming.rest(notebook, arm)
    about = layout.Subject("/p", f"/p/{notebook}", rest, {}, 0, several=False, configured=False)
    assert layout.output(layout.USUALLY, about) == path


@given(st.text() | st.text(min_size=100))
def test_a_part_of_a_path_is_one_part(text: str) -> None:
    """No text leads out of its folder, hides a file, or makes a name too long."""
    part = naming.safe(text)
    assert "/" not in part
    assert not part.startswith(".")
    assert len(part.encode()) <= 120


def test_long_parts_of_paths_differ() -> None:
    """What is cut off a long name still tells it from another."""
    assert naming.safe("長" * 100 + "a") != naming.safe("長" * 100 + "b")
    assert naming.safe("長" * 40) == "長" * 40


def test_an_arm_is_its_notebook_its_parameters_and_its_base() -> None:
    """The order of parameters makes no other arm; a value, its type or another base does."""
    same = [
        model.identity("a", {"x": 1, "y": math.nan}, 0),
        model.identity("a", {"y": math.nan, "x": 1}, 0),
    ]
    others = [
        model.identity("a", {"x": 1.0, "y": math.nan}, 0),
        model.identity("a", {"x": True, "y": math.nan}, 0),
        model.identity("a", {"x": 1}, 0),
        model.identity("a", {"x": 1, "y": math.nan}, 1),
        model.identity("b", {"x": 1, "y": math.nan}, 0),
    ]
    assert len({*same, *others}) == 6
