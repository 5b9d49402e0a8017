"""What the results of many runs cost: tables, samples, curves.

The runs have finished and logged ten metrics a hundred times. One was carried out; the others have
records like its own, each with values of its own.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

from bench import place, tables
from bench.measure import MEGABYTES, SECONDS
from nbbg import files, paths
from nbbg.store import endings, reading

if TYPE_CHECKING:
    from pathlib import Path

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Case
    from bench.pictures import Drawing

TITLE = "Results of many runs"
KEY, COLD = "results", "results/cold"
RUNS, METRICS, STEPS = 10_000, 10, 100
FEW = 3  # rounds
_TRAIN = """import nbbg
for step in range({steps}):
    nbbg.log(step=step, **{{f"metric_{{k}}": step + k + 0.123456789 for k in range({metrics})}})"""
_GATHER = """import sys
from nbbg.index import Index
from nbbg.ops import project
from nbbg.results.gathering import gather
with Index(project.here().store) as index:
    (sample,) = gather(index.each(), "metric_3", reduce=sys.argv[1], curves=len(sys.argv) > 2)
assert len(sample.values) == {runs}
"""
_TEXT = """\
{runs:,} runs that have finished, with {metrics} metrics of {steps} steps each. Whole commands; MB
is the largest resident size. The first `nbbg results`, which builds the index: {cold} ms. The index
keeps of each metric the last value, the smallest and the largest with their steps, and how many
there are; `mean:K` and curves are read from the files of the runs.

{rows}

{how}
"""


def measure(bench: Bench) -> None:
    """One store; each command in turns."""
    if bench.is_done(KEY, FEW):
        return
    where = place.make(bench.top / "results" / "project")
    where.write("train", _TRAIN.format(steps=STEPS, metrics=METRICS))
    count = bench.sized(RUNS, 100)
    _finish(where.batch("train", count), count)
    (where.root / "gather.py").write_text(_GATHER.format(runs=count))
    bench.kept.notes[COLD] = where.weigh(place.NBBG, "results")[SECONDS]
    bench.take(KEY, _cases(where), FEW)


def _cases(where: place.Place) -> dict[str, Case]:
    words = {
        "`nbbg results`": ("results",),
        "`nbbg results --where 'metric_3 < 0.5'`": ("results", "--where", "metric_3 < 0.5"),
        "`nbbg results --csv -`": ("results", "--csv", "-"),
        "`nbbg results --json`": ("results", "--json"),
        "`nbbg results --best metric_3`": ("results", "--best", "metric_3"),
    }
    found = {name: where.weighed(place.NBBG, *each) for name, each in words.items()}
    for how in ("last", "best", "mean:5"):
        name = f"samples of one metric, {how}"
        found[name] = where.weighed(sys.executable, "gather.py", how)
    found["samples of one metric, with curves"] = where.weighed(
        *(sys.executable, "gather.py", "last", "curves")
    )
    return found


def _finish(batch: Path, count: int) -> None:
    """Make all runs of a batch what the first is, each with its own metrics."""
    place.finish(batch, count)
    events = list(files.read_lines((batch / paths.EVENTS).read_bytes()))
    kept: dict[int, object] = {}
    chance = random.Random(7)  # noqa: S311 - values, no secrets
    for run in range(1, count + 1):
        path = batch / paths.RUNS / str(run) / "1" / paths.METRICS
        data = b"".join(_line(step, chance) for step in range(STEPS))
        path.unlink()
        path.write_bytes(data)
    for event in events:
        if "kept" in event:
            with files.Folder(batch / paths.RUNS / str(event["run"]) / "1") as folder:
                kept[event["run"]] = _kept(folder, event["kept"])
    with (batch / paths.EVENTS).open("wb") as file:
        for event in events:
            more = {"kept": kept[event["run"]]} if "kept" in event else {}
            file.write(files.to_line({**event, **more}))


def _line(step: int, chance: random.Random) -> bytes:
    values = {f"metric_{k}": chance.random() for k in range(METRICS)}
    return files.to_line({"time": 1.7e9 + step, "step": step, "values": values})


def _kept(folder: files.Folder, kept: dict[str, Any]) -> dict[str, Any]:
    """What the index keeps of a run, with the metrics that are now in its folder."""
    return reading.kept_of(folder, endings.from_json(kept["ending"])) or {}


def tell(kept: Kept) -> str:
    """A table."""
    table, cold = kept.table(KEY), kept.notes.get(COLD)
    rows = [
        (name, tables.spread(row.middle()), tables.figure(kept, KEY, name, MEGABYTES))
        for name, row in table.rows.items()
    ]
    return _TEXT.format(
        runs=RUNS,
        metrics=METRICS,
        steps=STEPS,
        cold=tables.ms(cold) if cold else tables.NONE,
        rows=tables.markdown(("", "ms", "MB"), rows),
        how=tables.how(table),
    )


def draw(_kept: Kept) -> list[Drawing]:
    """None."""
    return []
