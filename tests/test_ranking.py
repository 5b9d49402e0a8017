"""Results in the order of a metric: nothing is dropped without a word."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import model
from nbbg.errors import UsageError
from nbbg.results import ranking
from nbbg.results.reducing import Reduction
from tests import records
from tests.test_results import python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.project import Project

DONE = model.Succeeded()


def a_run(number: int, arm: str, value: object, state: model.RunState = DONE) -> model.Run:
    """A run that has logged a value, or None."""
    metrics: dict[str, Any] = {"epoch": 1} | ({} if value is None else {"acc": value})
    return model.Run(
        id=number,
        batch=1,
        arm=records.an_arm(arm),
        number=number,
        seed=number,
        attempt=1,
        state=state,
        executor="local",
        queued_at=0.0,
        folder="/nowhere",
        metrics=metrics,
    )


RUNS = [
    a_run(1, "a", 0.5),
    a_run(2, "a", 0.9),
    a_run(3, "b", 0.8),
    a_run(4, "b", 0.8),
    a_run(5, "b", math.nan),
    a_run(6, "c", None),
    a_run(7, "c", "high"),
    a_run(8, "a", 1.0, model.Failed(None)),
    a_run(9, "a", True),
]


@pytest.mark.parametrize(
    ("lower", "ranks", "arms"),
    [
        (False, [(1, 2), (2, 3), (2, 4), (4, 1)], ["b", "a"]),
        (True, [(1, 1), (2, 3), (2, 4), (4, 2)], ["a", "b"]),
    ],
)
def test_the_order_of_a_metric(
    *, lower: bool, ranks: Sequence[tuple[int, int]], arms: Sequence[str]
) -> None:
    """Best first, ties share a rank, arms by their mean; what has no place is named with why."""
    found = ranking.rank(RUNS, "acc", Reduction(lower_is_better=lower))
    assert [(one.rank, one.run.id) for one in found.runs] == ranks
    assert [arm.arm for arm in found.arms] == arms
    by_name = {arm.arm: arm for arm in found.arms}
    assert (by_name["b"].runs, by_name["b"].mean, by_name["b"].left_out) == (2, 0.8, 1)
    assert [(run.id, why) for run, why in found.left_out] == [
        (5, "acc is NaN"),
        (6, "no acc"),
        (7, "acc is no number"),
        (8, "failed"),
        (9, "acc is no number"),
    ]


def test_an_unknown_metric_names_those_there_are() -> None:
    """A slip in the metric's name is an error that lists the names."""
    with pytest.raises(UsageError, match="'accuracy'; there are epoch, acc"):
        ranking.rank(RUNS, "accuracy")


def test_best_and_csv(project: Project) -> None:
    """`results --best` tells runs, arms and what was left out; `--csv` replaces no file."""
    project.write(
        "train.ipynb",
        "import nbbg\nif lr: nbbg.log(loss=lr * int(__import__('os').environ['RUN_NUMBER']))",
        parameters="lr = 0.5",
    )
    project.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    project.nbbg("run", "train.ipynb", "-p", "lr=0", "--allow-any-type", "--wait")
    done = project.nbbg("results", "--best", "loss", "--lower-is-better")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1][:2] == ["1", "0.5"]
    assert lines[-1][:4] == ["train", "2", "0.75", "0.5"]
    assert "left out of the order, 1: no loss (1)" in done.stderr
    found = json.loads(project.nbbg("results", "--best", "loss", "--json").stdout)
    assert [run["value"] for run in found["runs"]] == [1.0, 0.5]
    assert found["left_out"] == [{"run": 3, "why": "no loss"}]
    rows = list(csv.DictReader(io.StringIO(project.nbbg("results", "--csv", "-").stdout)))
    assert [(row["params.lr"], row["loss"]) for row in rows] == [
        ("", "0.5"),
        ("", "1.0"),
        ("0", ""),
    ]
    project.nbbg("results", "--csv", "out.csv")
    assert "is there already" in project.nbbg("results", "--csv", "out.csv", code=2).stderr
    nowhere = project.nbbg("results", "--csv", "gone/out.csv", code=2).stderr
    assert nowhere == "nbbg: --csv gone/out.csv: No such file or directory\n"
    assert "there are loss" in project.nbbg("results", "--best", "los", code=2).stderr
    none = project.nbbg("results", "--best", "loss", "--reduce", "mean:2")
    assert none.stdout == "no run has a place in the order of loss\n"
    assert "left out of the order, 3: loss has 1 of 2 values (2), no loss (1)" in none.stderr


def test_options_that_would_do_nothing_are_refused(project: Project) -> None:
    """No option is passed over without a word, and no file is made."""
    for words, said in (
        (("--csv", "a.csv", "--json", "a.json"), "--csv and --json: one at a time"),
        (("--reverse",), "--reverse turns the order of --sort COLUMN"),
        (("--best", "loss", "--sort", "run"), "--best is an order of its own"),
    ):
        assert said in project.nbbg("results", *words, code=2).stderr
    assert not list(project.root.glob("a.*"))


def test_choosing_ordering_and_reducing(project: Project) -> None:
    """`results` shows what differs; `--where`, `--sort`, `--reduce`, `--json FILE` and Python."""
    project.write(
        "train.ipynb",
        "import nbbg\nfrom IPython.display import display\n"
        "for step in range(4):\n    nbbg.log(loss=lr + 1 / (step + 1), step=step)",
        "glue = 'application/scrapbook.scrap.json+json'\n"
        "record = 'application/papermill.record+json'\n"
        "scrap = {'name': 'glued', 'data': 0.5, 'encoder': 'json', 'version': 1}\n"
        "display({glue: scrap}, raw=True)\n"
        "display({glue: {**scrap, 'name': 'list', 'data': [1]}}, raw=True)\n"
        "display({record: {'recorded': 7}, 1: 2}, raw=True)\nfinal = lr",
        parameters="lr = 0.5",
    )
    project.nbbg("run", "train.ipynb", "-p", "lr=0.5,0.25", "--results", "final", "--wait")
    head, *rows = project.nbbg("results", "--sort", "lr").stdout.splitlines()
    assert head.split()[6:] == ["lr", "final", "loss", "glued", "recorded"]
    assert [row.split()[-5:] for row in rows] == [
        ["0.25", "0.25", "0.5", "0.5", "7"],
        ["0.5", "0.5", "0.75", "0.5", "7"],
    ]
    assert len(project.nbbg("results", "--where", "lr < 0.5").stdout.splitlines()) == 2
    assert "no run matches" in project.nbbg("results", "--where", "lr < 0").stderr
    reduced = project.nbbg("results", "--reduce", "mean:2", "--json", "out.json")
    assert "2 runs: final has 1 of 2 values" in reduced.stderr
    found = json.loads((project.root / "out.json").read_text())
    assert [run["metrics"]["loss"] for run in found] == [
        pytest.approx(0.25 + 7 / 24),
        pytest.approx(0.5 + 7 / 24),
    ]
    again = project.nbbg("results", "--json", "out.json", code=2).stderr
    assert "out.json is there already" in again
    assert "of which metric" in project.nbbg("results", "--reduce", "best", code=2).stderr
    best = project.nbbg("results", "--best", "loss", "--reduce", "best").stdout.splitlines()
    assert best[1].split()[:2] == ["1", "1.5"]
    assert "loss: 4 values to step 3, from 0.75 at step 3" in project.nbbg("show", "1").stdout
    code = (
        "import nbbg\nfound = nbbg.results(where='lr > 0.25')\nprint(found)\n"
        "print(found.to_frame()['loss'].mean(), nbbg.results('b1', 1).to_frame().shape)\n"
        "print([row['value'] for row in nbbg.curves('loss', 2)])\n"
        "print(nbbg.results is nbbg.results, nbbg.results(where='run > 9'))"
    )
    said = python(project, code)
    assert said.stdout.splitlines()[1].split()[:5] == ["train/lr=0.5", "1", "1", "1", "succeeded"]
    assert said.stdout.splitlines()[2:] == [
        "0.75 (2, 11)",
        str([0.25 + 1 / (step + 1) for step in range(4)]),
        "True no results",
    ], said.stderr
