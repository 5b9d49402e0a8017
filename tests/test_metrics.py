"""Metrics: the last value of each name, each line parsed once, whatever else is in the file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.index import Index
from nbbg.store import batches
from nbbg.store.metrics import Metrics
from tests import records
from tests.records import an_attempt

if TYPE_CHECKING:
    from pathlib import Path


def test_the_last_values_count(tmp_path: Path) -> None:
    """Of each name the newest value is told; torn and foreign lines are passed over."""
    metrics, log = Metrics(), tmp_path / paths.METRICS
    with files.Folder(tmp_path) as folder:
        metrics.read_on(folder)
        assert (metrics.values, metrics.resumed_after) == ({}, None)
        log.write_bytes(
            b'{"resumed_after": 3}\n{"values": {"loss": 1, "acc": NaN}}\n\xff\n[]\n{"values": 7}\n'
            b'{"values": {"loss": 0.5}}\n{"values": {"lo'
        )
        metrics.read_on(folder)
        assert (metrics.values["loss"], metrics.resumed_after) == (0.5, 3)
        with log.open("ab") as file:
            file.write(b'ss": 0.25}}\n')
        metrics.read_on(folder)
        assert metrics.values["loss"] == 0.25
        assert list(metrics.values) == ["loss", "acc"]


def test_a_reader_that_waits_does_not_read_again(tmp_path: Path) -> None:
    """Looking again at a run that has logged 50,000 times costs a few milliseconds."""
    store = records.make_store(tmp_path / "project")
    records.publish(store)
    lines = b"".join(
        files.to_line({"time": 1.5, "step": step, "values": {"loss": step / 7}})
        for step in range(50_000)
    )
    with an_attempt(store) as live:
        live.claim()
        batches.add_event(store, 1, "starting", 1, 1)
        (live.path / paths.METRICS).write_bytes(lines)
        with Index(store) as index:
            before = time.monotonic()
            for _ in range(20):
                index.refresh()
            assert time.monotonic() - before < 0.5
            (run,) = index.live()
            assert run.metrics == {"loss": 49_999 / 7}
            with (live.path / paths.METRICS).open("ab") as file:
                file.write(files.to_line({"values": {"loss": 0}}))
            index.refresh()
            (run,) = index.live()
            assert run.metrics == {"loss": 0}
