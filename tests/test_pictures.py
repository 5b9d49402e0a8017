"""Pictures of a comparison: what is drawn, what is said beside it, and that it can be read."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from nbbg.errors import UsageError
from nbbg.results import comparing
from nbbg.results.pictures import composing, forest, learning, look, matrix, sweeps, writing
from nbbg.results.samples import Curve, Sample
from tests import comparisons

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbbg.results.comparison import Comparison

MANY = [f"experiments/vision/train_with_a_long_name_{i}/lr={i},optimizer=adamw" for i in range(25)]


def panel(comparison: Comparison, name: str, params: sweeps.Params | None = None) -> Axes:
    """The axes of one panel, drawn."""
    found = {one.name: one for one in composing.panels(comparison, params)}
    return composing.alone(found[name]).axes[0]


def lines(axes: Axes, gid: str) -> list[tuple[list[float], list[float]]]:
    """The data of the lines of that name."""
    return [
        ([*map(float, line.get_xdata())], [*map(float, line.get_ydata())])  # type: ignore[arg-type]
        for line in axes.lines
        if line.get_gid() == gid
    ]


def words(artist: Axes | Figure) -> list[str]:
    """All that is written in a picture."""
    return [text.get_text() for text in map(_text, artist.findobj(Text))]


def _text(artist: object) -> Text:
    assert isinstance(artist, Text)
    return artist


def test_every_seed_is_a_point() -> None:
    """Each value stands in its arm's row; pairs are joined; n, what is left out and units said."""
    comparison = comparisons.of_arms(["resnet", "vit"], 12, left_out={"vit": 2})
    axes = panel(comparison, "seeds")
    for sample in comparison.samples:
        ((shown, _),) = lines(axes, f"seeds {sample.arm}")
        assert shown == [*sample.values.values()]
    assert len(lines(axes, "pair")) == 12
    assert [x for ((x,), _) in lines(axes, "iqm")] == [
        one.iqm for one in comparison.summaries.values()
    ]
    assert len(lines(axes, "interval")) == 2
    said = words(axes)
    assert "n = 12" in said
    assert "n = 12\n2 left out" in said
    assert "accuracy (higher is better)" in said


def test_seeds_of_many_arms_are_not_joined() -> None:
    """Of more arms than lines can be told apart, none are drawn, and the caption claims none."""
    comparison = comparisons.of_arms(MANY, 4)
    assert not lines(panel(comparison, "seeds"), "pair")
    assert "join" not in composing.panels(comparison)[0].caption


def test_differences_and_what_is_claimed() -> None:
    """A row a pair, with interval, corrected p, n; a claim is filled, what is undecided hollow."""
    comparison = comparisons.of_arms(["a", "b", "c"], 12)
    axes = panel(comparison, "differences")
    assert [x for ((x,), _) in lines(axes, "difference")] == [
        p.difference for p in comparison.pairs
    ]
    assert [x for x, _ in lines(axes, "interval")] == [
        [pair.interval.low, pair.interval.high] for pair in comparison.pairs if pair.interval
    ]
    assert lines(axes, "zero") == [([0.0, 0.0], [0.0, 1.0])]
    filled = [
        line.get_markerfacecolor() != "white"
        for line in axes.lines
        if line.get_gid() == "difference"
    ]
    assert filled == [pair.decided for pair in comparison.pairs]
    assert any("p = .012" in said and "n = 12" in said for said in words(axes))
    assert "accuracy higher by, 95 %, p after Holm" in words(axes)
    apart = comparing.compare([Sample("a", {1: 1, 2: 2}), Sample("b", {7: 3, 8: 4, 9: 5})], "acc")
    said = "   ".join(words(panel(apart, "differences")))
    assert re.search(r"better in 100 %   n = 3 and 2, not paired", said)


def test_of_many_pairs_those_with_the_best() -> None:
    """300 pairs become the 24 with the best arm; its name is said once, and the caption counts."""
    comparison = comparisons.of_arms(MANY, 3)
    assert len(forest.chosen(comparison)) == 24
    assert "24 of 300 pairs" in forest.panel(comparison).caption
    axes = panel(comparison, "differences")
    assert axes.get_title(loc="left").endswith("over others")


def test_who_is_better_how_often() -> None:
    """Row better than column is one minus column better than row; the diagonal is empty."""
    comparison = comparisons.of_arms(["a", "b", "c"], 12)
    found = np.array(matrix.values(comparison))
    assert np.isnan(np.diag(found)).all()
    beyond = ~np.eye(3, dtype=bool)
    assert np.allclose((found + found.T)[beyond], 1)
    assert found[0, 1] == comparison.pairs[0].improvement
    assert f"{100 * found[0, 1]:.0f}" in words(panel(comparison, "probability"))
    two = comparisons.of_arms(["a", "b"], 12)
    assert "probability" not in [one.name for one in composing.panels(two)]


def test_curves_on_one_grid() -> None:
    """Curves of other steps meet on one grid, over what they have; few are no middle."""
    one, other = Curve((0, 2, 4), (0, 2, 4)), Curve((0, 1), (10, 10))
    odd = Curve((4, math.nan, 0, 4), (7, 9, math.nan, 8))
    grid, values = learning.on_grid([one, other, odd])
    assert grid.tolist() == [0, 1, 2, 4]
    assert np.nan_to_num(values, nan=-1).tolist() == [
        [0, 1, 2, 4],
        [10, 10, -1, -1],
        [-1, -1, -1, 8],
    ]
    low, iqm, high = learning.middle(values)
    assert np.nan_to_num(iqm, nan=-1).tolist() == [5, 5.5, -1, 6]
    assert (low[0], high[0]) == (2.5, 7.5)
    assert learning.on_grid([])[0].size == 0


def test_learning_curves() -> None:
    """A thin line a seed over its own steps, the IQM over them, n in the legend, gaps counted."""
    comparison = comparisons.of_arms(["a", "b"], 5, curves=True)
    axes = panel(comparison, "curves")
    assert len(lines(axes, "seed")) == 10
    curve = comparison.samples[0].curves[1]
    assert lines(axes, "seed")[0] == ([*curve.steps], [*curve.values])
    assert {"a (n = 5)", "b (n = 5)", "step", "accuracy (higher is better)"} <= {*words(axes)}
    assert len(axes.collections) == 2
    gaps = comparisons.of_values(
        {"a": {1: 1.0}}, curves={"a": {1: Curve((0, 1, 2), (1.0, math.nan, 2.0))}}
    )
    assert "1 values that are NaN" in learning.panel(gaps).caption
    flat = comparisons.of_values({"a": {1: 1.0}}, curves={"a": {1: Curve((0,), (1.0,))}})
    assert not learning.chosen(flat)


def test_values_beyond_the_axis_are_said() -> None:
    """The later steps get the height, and the title says that the first lie beyond it."""
    drop = Curve(tuple(range(100)), (100.0, *[1.0 + i / 1000 for i in range(99)]))
    comparison = comparisons.of_values({"a": {1: 1.0}}, curves={"a": {1: drop}})
    axes = panel(comparison, "curves")
    assert axes.get_ylim()[1] < 2
    assert "lie beyond the axis" in axes.get_title(loc="left")


def test_whole_numbers_have_whole_marks() -> None:
    """Steps and parameters that are whole are not marked at halves; others are as they need."""
    for steps, is_whole in ((range(20), True), ([k / 8 for k in range(20)], False)):
        curve = Curve(tuple(steps), tuple(float(step) for step in steps))
        axes = panel(comparisons.of_values({"a": {1: 1.0}}, curves={"a": {1: curve}}), "curves")
        assert all(float(tick).is_integer() for tick in axes.get_xticks()) == is_whole
    two = comparisons.of_arms(["a", "b"], 3)
    axes = panel(two, "parameter depth", {"a": {"depth": 2}, "b": {"depth": 4}})
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_a_sweep() -> None:
    """A number on a log axis where it spans decades, text as categories; lines join what agrees."""
    given = {
        f"{o}/{lr}": {"lr": lr, "opt": o, "same": 1, "notebook": "t.ipynb"}
        for o in ("sgd", "adam")
        for lr in (0.001, 0.01, 0.1)
    }
    comparison = comparisons.of_arms([*given], 3)
    names = [one.name for one in composing.panels(comparison, given)]
    assert [name for name in names if name.startswith("param")] == ["parameter lr", "parameter opt"]
    axes = panel(comparison, "parameter lr", given)
    assert axes.get_xscale() == "log"
    assert "lr, log scale" in words(axes)
    assert [x for x, _ in lines(axes, "iqm")] == [[0.001, 0.01, 0.1]] * 2
    assert {"opt=sgd", "opt=adam"} <= {*words(axes)}
    axes = panel(comparison, "parameter opt", given)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["adam", "sgd"]
    some = {name: params for name, params in given.items() if name != "sgd/0.1"}
    (found, *_) = sweeps.panels(comparison, some)
    assert "1 arms were not given it" in found.caption


HUGE: dict[str, Any] = {"a": {1: 1e300, 2: 3.0, 3: 1e12}, "b": {1: 2.0, 2: 5e4, 3: 7.0}}


@pytest.mark.parametrize(
    "comparison",
    [
        comparisons.of_arms(["resnet", "a $\\frac{x$ b$ \x1b[31m\n\N{SNOWMAN}"], 3, curves=True),
        comparisons.of_arms(MANY, 30, curves=True, left_out={MANY[2]: 3}),
        comparisons.of_arms(["only"], 1),
        comparisons.of_values(HUGE, metric="loss", lower_is_better=True),
        comparisons.of_values({"a": {1: -1e307, 2: 1.0}, "b": {1: 5e307, 2: 0.0}}),
        comparisons.of_values({"a": {1: 1.0, 2: 1.0}, "b": {1: 1.0, 2: 1.0}, "none": {}}),
    ],
    ids=["two", "many", "one", "huge", "hugest", "equal"],
)
def test_it_can_be_read(comparison: Comparison) -> None:
    """However many arms and long names: all words lie in the picture, and no panel is squeezed."""
    figure = composing.compose(comparison)
    figure.draw_without_rendering()
    page = figure.bbox.padded(4)
    for axes in figure.findobj(mpl.axes.Axes):
        assert isinstance(axes, mpl.axes.Axes)
        box = axes.get_window_extent()
        assert min(box.width, box.height) > 0.4 * figure.dpi, axes.get_title(loc="left")
        for label in [*axes.get_yticklabels(), *axes.texts, axes.xaxis.label, axes.title]:
            (left, low), (right, high) = label.get_window_extent().get_points()
            lies_in = page.contains(left, low) and page.contains(right, high)
            assert lies_in or not label.get_text(), label.get_text()
    (verdict,) = [one.get_text() for one in figure.texts if one.get_fontsize() == 10]
    assert verdict.startswith(look.text(comparison.verdict[0])[:20])


@pytest.mark.parametrize("arms", [["a", "b", "c"], MANY[:4]], ids=["short", "long"])
def test_titles_of_panels_alone(arms: list[str]) -> None:
    """In a report each panel stands for itself: its title is not cut off."""
    for one in composing.panels(comparisons.of_arms(arms, 10, curves=True)):
        figure = composing.alone(one)
        figure.draw_without_rendering()
        (axes,) = figure.axes
        named = axes.get_title(loc="left")
        (title,) = (t for t in map(_text, axes.findobj(Text)) if t.get_text() == named)
        assert title.get_window_extent().x1 <= figure.bbox.x1 + 1, named


def test_names_stay_apart() -> None:
    """Long names are cut in the middle and stay different; the folder of all is left out."""
    shown = [*look.names(comparisons.of_arms(MANY, 1)).values()]
    assert len({*shown}) == 25
    assert all(len(name) <= look.LONGEST for name in shown)
    assert not any("vision" in name for name in shown)
    alike = [f"{'x' * 30}{i}{'y' * 40}" for i in range(3)]
    assert len({*look.names(comparisons.of_arms(alike, 1)).values()}) == 3


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture shows a secret of the environment, wherever it stands and lines are broken."""
    secret = "hunter2-and-more hunter2-and-more"
    monkeypatch.setenv("API_TOKEN", secret)
    comparison = comparisons.of_arms([f"train/key={secret}", "other"], 6)
    params = {arm: {"key": arm, "lr": at} for at, arm in enumerate(comparison.summaries)}
    figure = composing.compose(
        replace(comparison, verdict=[f"{'x' * at} {secret}" for at in range(99)]), params
    )
    assert not [text for text in words(figure) if "hunter2" in text]


def test_colours_in_grey() -> None:
    """Next to each other, arms differ in brightness, marker or line; all stand out from paper."""
    looks = [look.of(place) for place in range(56)]
    assert len({(one.colour, one.marker) for one in looks}) == 56
    for one, other in pairwise(looks):
        assert one.marker != other.marker
        assert one.line != other.line
    grey = {
        one.colour: float(np.dot(to_rgb(one.colour), (0.2126, 0.7152, 0.0722))) for one in looks
    }
    assert max(grey.values()) < 0.75
    assert abs(grey[looks[0].colour] - grey[looks[1].colour]) > 0.2


@pytest.mark.parametrize(
    ("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_formats(kind: str, begins: bytes, tmp_path: Path) -> None:
    """The suffix says the format; the file says who made it, and is the same each time."""
    comparison = comparisons.of_arms(["a", "b"], 2)
    data = writing.to_bytes(composing.compose(comparison), kind)
    assert data.startswith(begins)
    assert b"made by nbbg" in data
    assert writing.kind_of(tmp_path / f"x.{kind.upper()}") == kind
    if kind == "png":
        assert writing.to_bytes(composing.compose(comparison), kind) == data


@pytest.mark.parametrize("name", ["x.jpg", "x", ".png"])
def test_an_unknown_format(name: str, tmp_path: Path) -> None:
    """It is refused in a sentence that names those there are."""
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf\nsuch as: --plot \.?x?\S*\.png"):
        writing.kind_of(tmp_path / name)


def test_what_is_the_users_stays_the_users() -> None:
    """A dark style, TeX and sizes of the person's own neither show nor are changed."""
    code = """
import json, sys
import matplotlib
matplotlib.rcParams.update({"text.usetex": True, "axes.facecolor": "black", "font.size": 40})
def now():  # to look at `backend` would choose one, and import pyplot for it
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}
before = now()
from nbbg.results.pictures import composing, writing
from tests import comparisons
figure = composing.compose(comparisons.of_arms(["a", "b"], 2))
data = writing.to_bytes(figure, "png")
same = before == now()
print(json.dumps([len(data), same, "matplotlib.pyplot" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    size, same, pyplot = json.loads(done.stdout)
    assert size > 10_000
    assert same
    assert not pyplot


def test_without_the_extra() -> None:
    """Where matplotlib is not installed, a sentence says what to type."""
    code = """
import sys
sys.modules["matplotlib"] = None
from nbbg.cli import plotting
plotting.check("x.png")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "EnvironmentFault: pictures need matplotlib, which is not installed" in done.stderr
    assert done.stderr.endswith("\npip install 'nbbg[pictures]'\n")
