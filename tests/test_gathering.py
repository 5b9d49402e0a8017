"""Samples and curves: one value a seed, nothing dropped in silence, attempts joined."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import files, model, paths
from nbbg.errors import UsageError
from nbbg.results import exporting, reducing
from nbbg.results.gathering import gather
from nbbg.results.samples import Curve, LeftOut
from nbbg.store import curves, reading
from nbbg.store.metrics import Metrics
from tests import records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbbg.results.samples import Sample


def logged(folder: Path, *lines: dict[str, Any], attempt: int = 1) -> str:
    """The folder of an attempt that has logged these lines."""
    path = folder / str(attempt)
    path.mkdir(parents=True)
    (path / paths.METRICS).write_bytes(b"".join(map(files.to_line, lines)))
    return str(path)


def steps(name: str, values: dict[int, float]) -> list[dict[str, Any]]:
    """What `nbbg.log` writes of one metric, by step."""
    return [{"time": 1.0, "step": step, "values": {name: one}} for step, one in values.items()]


def a_run(number: int, folder: str, **more: Any) -> model.Run:
    """A run that has succeeded, as its folder tells it."""
    metrics = Metrics()
    with files.Folder(folder) as opened:
        metrics.read_on(opened)
    return model.Run(
        **{
            "id": number,
            "batch": 1,
            "arm": records.an_arm(),
            "number": number,
            "seed": number,
            "attempt": 1,
            "state": model.Succeeded(),
            "executor": "local",
            "queued_at": 0.0,
            "folder": folder,
            "metrics": metrics.values,
            "spans": metrics.spans,
            "scalars": {},
            **more,
        }
    )


def test_one_value_a_seed(tmp_path: Path) -> None:
    """Of each arm the newest run of a number counts; who has no fit value is named with why."""
    values = [0.5, math.nan, math.inf, "high", True]
    found = [
        a_run(n, logged(tmp_path / str(n), {"values": {"acc": value}}), seed=n - 1)
        for n, value in enumerate(values, 1)
    ]
    found.append(replace(found[0], id=9, metrics={"acc": 0.75}))
    found.append(replace(found[0], id=6, number=6, seed=5, metrics={}, spans={}))
    found.append(replace(found[0], id=7, number=7, seed=6, state=model.Lost("gone")))
    found.append(replace(found[0], id=8, number=8, seed=7, state=model.Queued()))
    found.append(replace(found[0], id=10, arm=records.an_arm("other"), scalars={"acc": 3}))
    other, sample = gather(found, "acc")
    assert (other.arm, dict(other.values), dict(other.runs)) == ("other", {1 - 1: 0.5}, {0: 10})
    assert (sample.arm, dict(sample.values), dict(sample.runs)) == ("train", {0: 0.75}, {0: 9})
    assert list(sample.left_out) == [
        LeftOut(2, 1, "acc is NaN"),
        LeftOut(3, 2, "acc is infinite"),
        LeftOut(4, 3, "acc is no number"),
        LeftOut(5, 4, "acc is no number"),
        LeftOut(6, 5, "no acc"),
        LeftOut(7, 6, "lost"),
        LeftOut(8, 7, "queued"),
    ]
    with pytest.raises(UsageError, match="'ac'; did you mean acc"):
        gather(found, "ac")
    with pytest.raises(UsageError, match="none was logged yet"):
        gather([], "acc")


def test_a_named_result_is_a_metric(tmp_path: Path) -> None:
    """A number among the named results is compared too; what was logged by that name wins."""
    folder = logged(tmp_path, {"values": {"loss": 1}})
    (sample,) = gather([a_run(1, folder, scalars={"acc": 0.5, "loss": 7})], "acc", curves=True)
    assert (dict(sample.values), dict(sample.curves)) == ({1: 0.5}, {})
    (sample,) = gather([a_run(1, folder, scalars={"acc": 0.5, "loss": 7})], "loss", reduce="best")
    assert dict(sample.values) == {1: 1.0}


@pytest.mark.parametrize(
    ("how", "lower", "values", "expected"),
    [
        ("last", False, [1, 5, 3], 3.0),
        ("best", False, [1, 5, math.nan, 3], 5.0),
        ("best", True, [math.inf, 1, 5, 3], 1.0),
        ("best", True, [math.nan], "acc was never finite"),
        ("mean:2", False, [math.nan, 5, 3], 4.0),
        ("mean:2", False, [3], "acc has 1 of 2 values"),
        ("mean:2", False, [1, math.nan, 3], "acc is NaN among its last 2"),
        ("mean:300", True, list(range(301)), 150.5),
    ],
)
def test_reductions(
    tmp_path: Path, how: str, *, lower: bool, values: Sequence[float], expected: float | str
) -> None:
    """Last, best and the mean of the last K are the same from the index and from the file."""
    run = a_run(1, logged(tmp_path, *steps("acc", dict(enumerate(values)))))
    samples: list[Sample] = []
    for one in (run, replace(run, spans={})):
        samples += gather([one], "acc", reduce=how, lower_is_better=lower)
    assert samples[0] == samples[1]
    if isinstance(expected, str):
        assert [one.why for one in samples[0].left_out] == [expected]
    else:
        assert dict(samples[0].values) == {1: expected}


def test_a_run_whose_files_were_cleaned_away(tmp_path: Path) -> None:
    """What the index keeps counts as before; of what only the files told it is said why not."""
    kept = a_run(1, logged(tmp_path, *steps("acc", {0: 1.0, 1: 3.0, 2: 2.0})))
    gone = replace(kept, folder=str(tmp_path / "gone"), cleaned_at=1.0)
    for how, value in (("last", 2.0), ("best", 3.0)):
        (sample,) = gather([gone], "acc", reduce=how, curves=True)
        assert (dict(sample.values), dict(sample.curves)) == ({1: value}, {})
    why = "the values of acc were cleaned away"
    (sample,) = gather([gone], "acc", reduce="mean:2")
    assert sample.left_out == [LeftOut(1, 1, why)]
    (sample,) = gather([replace(gone, spans={})], "acc", reduce="best")
    assert sample.left_out == [LeftOut(1, 1, why)]
    assert reducing.whole(gone, reducing.parse("mean:2"))[1] == {"acc": why}
    assert exporting.measured(gone) == {"acc": curves.Values([None], [2.0], [None])}


@pytest.mark.parametrize(
    "damage",
    [b"[" * 100_000, b'{"values":' * 100_000, b"\0" * 4096, bytes(range(256)), b'{"values": 3}',
     b'{"time":1,"step":1,"val', b"9" * 5000, b'{"saved": {"a": NaN}}'],
)  # fmt: skip
def test_damaged_lines_spoil_no_others(tmp_path: Path, damage: bytes) -> None:
    """Whatever else lies among the metrics, what was logged is read, by every reader."""
    lines = [*steps("acc", {0: 1.0}), *steps("loss", dict.fromkeys(range(5000), 9.0))]
    folder = logged(tmp_path, *lines, *steps("acc", {1: 2.0}))
    path = tmp_path / "1" / paths.METRICS
    path.write_bytes(damage + b"\n" + path.read_bytes() + damage + b"\n" + b'{"torn')
    assert curves.read(folder, ("acc",))["acc"].values == [1.0, 2.0]
    assert len(curves.read(folder)["loss"].values) == 5000
    assert curves.last(folder, "acc", 2) == curves.last(folder, "acc", 9) == [1.0, 2.0]
    assert curves.last(folder, "none", 2) == []
    assert a_run(1, folder).spans["acc"] == model.Span(2, 1, 1.0, 0, 2.0, 1)


@pytest.mark.parametrize("how", ["first", "mean", "mean:0", "mean:-1", "mean:x", ""])
def test_a_reduction_that_is_none(how: str) -> None:
    """What is no reduction is an error that names those there are."""
    with pytest.raises(UsageError, match="last, best, mean:5"):
        reducing.parse(how)


def test_curves(tmp_path: Path) -> None:
    """A curve has the steps as logged, NaN too; positions, where any value came without a step."""
    folder = logged(
        tmp_path,
        *steps("loss", {0: 3.0, 5: math.nan, 2: 1.0}),
        {"values": {"loss": "text", "acc": 1}},
        {"step": 7, "values": {"acc": 2, "huge": 10**400}},
        {"step": "end", "values": {"loss": True}},
    )
    run = a_run(1, folder)
    drawn = reducing.curve(run, "loss")
    assert drawn is not None
    assert drawn.steps == (0.0, 5.0, 2.0)
    assert [repr(value) for value in drawn.values] == ["3.0", "nan", "1.0"]
    assert reducing.curve(run, "acc") == Curve((0.0, 1.0), (1.0, 2.0))
    assert reducing.curve(run, "huge") == Curve((7.0,), (math.inf,))
    assert reducing.curve(run, "none") is None
    assert run.spans["loss"] == model.Span(3, 2, 1.0, 2, 3.0, 0)


def test_attempts_that_belong_together(tmp_path: Path) -> None:
    """A resumed attempt's curves go on from the saved step; what came after it was done again."""
    first = [*steps("loss", {0: 9.0, 1: 8.0}), {"saved": 1}]
    first += [*steps("val", {1: 5.0}), *steps("loss", {2: 7.0}), {"values": {"note": 1}}]
    logged(tmp_path, *first)
    logged(tmp_path, {"values": {"note": 2}}, attempt=2)  # it died before it resumed
    third = [{"resumed_after": 1}, *steps("loss", {2: 6.0}), {"saved": 2}, *steps("loss", {3: 5.0})]
    logged(tmp_path, *third, attempt=3)
    folder = logged(tmp_path, {"resumed_after": 2}, *steps("loss", {3: 4.0}), attempt=4)
    run = a_run(1, folder, attempt=4)
    assert (run.metrics, run.spans) == ({"loss": 4.0, "val": 5.0}, {})
    drawn = reducing.curve(run, "loss")
    assert drawn == Curve((0.0, 1.0, 2.0, 3.0), (9.0, 8.0, 6.0, 4.0))
    assert reducing.spans(run)["loss"] == model.Span(4, 3, 4.0, 3, 9.0, 0)
    (sample,) = gather([run], "loss", reduce="best", curves=True)
    assert (dict(sample.values), dict(sample.curves)) == ({1: 9.0}, {1: drawn})


def test_an_attempt_that_started_over_stands_alone(tmp_path: Path) -> None:
    """Without a resumed loop, nothing of an earlier attempt is in a curve."""
    logged(tmp_path, *steps("loss", {0: 9.0}), {"saved": 0})
    folder = logged(tmp_path, *steps("loss", {1: 1.0}), attempt=2)
    assert curves.read(folder)["loss"].values == [1.0]


def test_saved_steps_that_are_no_numbers(tmp_path: Path) -> None:
    """A step may be a text, and metrics may count something else: what was saved is what counts."""
    logged(tmp_path, *steps("loss", {10: 3.0}), {"saved": "fold-a"}, *steps("loss", {11: 9.0}))
    folder = logged(tmp_path, {"resumed_after": "fold-a"}, *steps("loss", {11: 2.0}), attempt=2)
    assert curves.read(folder)["loss"].values == [3.0, 2.0]


def test_versions_of_the_code(tmp_path: Path) -> None:
    """Samples say which code their runs executed; other modules alone are no other version."""
    folder = logged(tmp_path, {"values": {"acc": 1}})
    found = [
        a_run(1, folder),
        a_run(2, folder, arm=records.an_arm(source="1")),
        a_run(3, folder, state=model.Failed(None), arm=records.an_arm(source="2")),
    ]
    assert list(gather(found, "acc")[0].sources) == ["0", "1"]
    mixed = []
    for number, modules in enumerate(({"a.py": "x"}, {"a.py": "x", "b.py": "x"}, {"a.py": "y"}), 1):
        path = logged(tmp_path / str(number), {"values": {"acc": 1}})
        with files.Folder(path) as opened:
            opened.write_once(paths.IMPORTED, files.to_json(modules))
        mixed.append(a_run(number, path, imported=str(number)))
    assert len(gather(mixed[:2], "acc")[0].sources) == 1
    assert len(gather(mixed, "acc")[0].sources) == 2


def test_an_event_holds_what_it_can(tmp_path: Path) -> None:
    """Where spans make an event too long, it goes without them; where metrics do, there is none."""
    for count, has_spans in ((2, True), (60, False)):
        values = {f"a_metric_{k}": 0.123456789 for k in range(count)}
        with files.Folder(logged(tmp_path / str(count), {"step": 1, "values": values})) as opened:
            kept = reading.kept_of(opened, model.Succeeded())
        assert kept is not None
        assert ("spans" in kept, len(kept["metrics"])) == (has_spans, count)
    values = {f"a_metric_{k}": 0.5 for k in range(500)}
    with files.Folder(logged(tmp_path / "many", {"values": values})) as opened:
        assert reading.kept_of(opened, model.Succeeded()) is None


def test_an_arm_is_split_by_a_column(tmp_path: Path) -> None:
    """`by` makes a sample of each machine's runs; a column that is none is named, with those."""
    folders = [logged(tmp_path / str(k), *steps("loss", {0: k})) for k in (1, 2, 3)]
    found = [
        a_run(k, folder, machine="gpu1" if k < 3 else "", host="here")
        for k, folder in enumerate(folders, 1)
    ]
    whole, *_ = gather(found, "loss")
    assert (whole.arm, whole.machines) == ("train", ["gpu1", "here"])
    first, second = gather(found, "loss", by="machine")
    assert (first.arm, first.values) == ("train machine=gpu1", {1: 1, 2: 2})
    assert (second.arm, second.values, second.machines) == ("train machine=here", {3: 3}, ["here"])
    with pytest.raises(UsageError, match="--by place: there is no such column"):
        gather(found, "loss", by="place")
