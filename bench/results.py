"""What the results of many runs cost. `python -m bench.results` writes `docs/bench-results.md`.

The runs have finished and logged ten metrics a hundred times. One was carried out; the others have
records like its own, each with values of its own.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import place, scale
from bench.measure import table
from nbbg import files, paths
from nbbg.store import endings, reading

PAGE = Path(__file__).parents[1] / "docs" / "bench-results.md"
RUNS, METRICS, STEPS = 10_000, 10, 100
ROUNDS = 5
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
_TEXT = """# Results of many runs

Written by `python -m bench.results` on {date}, on {cpus} CPUs (load: {load:.1f}), in {minutes:.1f}
minutes: {runs:,} runs that have finished, with {metrics} metrics of {steps} steps each, {size:.0f}
MB of `metrics.jsonl`. Times are in ms, of whole commands with the start of Python, the median of
{rounds}; memory is the largest resident size, in MB. *Cold* is without an index, once: it is built
from the events. The aims: `results` in 1000 ms, what a comparison is made of in 3000.

{rows}

The index keeps of each metric the last value, the smallest and the largest with their steps, and
how many there are; `mean:K` and curves are read from the files of the runs.
"""


def main() -> None:
    """Measure, write the page, and leave nothing behind."""
    began, load = time.time(), os.getloadavg()[0]
    top = Path(tempfile.mkdtemp(prefix="nbbg-bench-"))
    try:
        where = place.make(top / "project")
        where.write("train", _TRAIN.format(steps=STEPS, metrics=METRICS))
        folder = where.batch("train", RUNS)
        size = _finish(folder)
        page = _TEXT.format(
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            cpus=len(os.sched_getaffinity(0)),
            load=load,
            runs=RUNS,
            metrics=METRICS,
            steps=STEPS,
            size=size / 1e6,
            rounds=ROUNDS,
            rows=_rows(where),
            minutes=(time.time() - began) / 60,
        )
    finally:
        place.remove(top)
    PAGE.write_text(page)
    print(page)


def _finish(batch: Path) -> int:
    """Make all runs of a batch what the first is, each with its own metrics; their bytes."""
    place.finish(batch, RUNS)
    events = list(files.read_lines((batch / paths.EVENTS).read_bytes()))
    kept: dict[int, object] = {}
    size, chance = 0, random.Random(7)  # noqa: S311 - values, no secrets
    for run in range(1, RUNS + 1):
        path = batch / paths.RUNS / str(run) / "1" / paths.METRICS
        data = b"".join(_line(step, chance) for step in range(STEPS))
        path.unlink()
        path.write_bytes(data)
        size += len(data)
    for event in events:
        if "kept" in event:
            with files.Folder(batch / paths.RUNS / str(event["run"]) / "1") as folder:
                kept[event["run"]] = _kept(folder, event["kept"])
    with (batch / paths.EVENTS).open("wb") as file:
        for event in events:
            more = {"kept": kept[event["run"]]} if "kept" in event else {}
            file.write(files.to_line({**event, **more}))
    return size


def _line(step: int, chance: random.Random) -> bytes:
    values = {f"metric_{k}": chance.random() for k in range(METRICS)}
    return files.to_line({"time": 1.7e9 + step, "step": step, "values": values})


def _kept(folder: files.Folder, kept: dict[str, Any]) -> dict[str, Any]:
    """What the index keeps of a run, with the metrics that are now in its folder."""
    return reading.kept_of(folder, endings.from_json(kept["ending"])) or {}


def _rows(where: place.Place) -> str:
    index = where.root / paths.STORE / paths.INDEX
    gather = where.root / "gather.py"
    gather.write_text(_GATHER.format(runs=RUNS))
    python = (sys.executable, gather)
    cases = {
        "`nbbg status`": (place.NBBG, "status"),
        "`nbbg results`": (place.NBBG, "results"),
        "`nbbg results --where 'metric_3 < 0.5'`": (
            *(place.NBBG, "results", "--where"),
            "metric_3 < 0.5",
        ),
        "`nbbg results --csv -`": (place.NBBG, "results", "--csv", "-"),
        "`nbbg results --json`": (place.NBBG, "results", "--json"),
        "`nbbg results --best metric_3`": (place.NBBG, "results", "--best", "metric_3"),
        "samples of one metric, last": (*python, "last"),
        "samples of one metric, best": (*python, "best"),
        "samples of one metric, mean:5": (*python, "mean:5"),
        "samples of one metric, with curves": (*python, "last", "curves"),
    }
    index.unlink(missing_ok=True)
    lines = [_row("`nbbg results`, cold", [scale.timed(where, place.NBBG, "results")])]
    for name, argv in cases.items():
        lines.append(_row(name, [scale.timed(where, *argv) for _ in range(ROUNDS)]))
    return table(("what", "ms", "MB"), lines)


def _row(name: str, found: list[tuple[float, float]]) -> tuple[str, str, str]:
    spent = statistics.median(ms for ms, _ in found)
    return name, f"{spent:.0f}", f"{max(memory for _, memory in found):.0f}"


if __name__ == "__main__":
    main()
