"""What is told of a run or a batch, in the fields that `--json` and Python callers see."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.classes import asdict, dataclass
from nbbg.ops import pace
from nbbg.store import batches, changes, endings

if TYPE_CHECKING:
    from nbbg.index import Index
    from nbbg.ops import deciding

ARMS = 100  # of a batch that are named


@dataclass(frozen=True)
class RunReport:
    """A run as it is now: times ISO 8601 in UTC, paths absolute, None where there is none yet."""

    id: int
    batch: str
    arm: str
    notebook: str
    number: int
    seed: int
    params: dict[str, Any]
    attempt: int
    state: str
    reason: str
    exit_code: int | None
    signal: str | None
    engine: str
    executor: str
    host: str | None
    machine: str | None  # as the project calls it
    pid: int | None
    runner_pid: int | None
    gpu: str | None
    queued_at: str
    started_at: str | None
    ended_at: str | None
    cell: int | None
    cells: int | None
    log: str | None
    output: str | None  # none of the plain engine
    metrics: dict[str, Any]
    resumed_after: Any
    retry_at: str | None  # when the next attempt may start
    bytes: int | None  # that its files take, once it has ended
    cleaned_at: str | None  # when they were cleaned away

    def to_json(self) -> dict[str, Any]:
        """The report as strict JSON: NaN and infinities become strings."""
        found: dict[str, Any] = files.strict(vars(self))
        return found


@dataclass(frozen=True)
class BatchReport:
    """A batch as it is now."""

    id: str
    supervisor_pid: int | None
    jobs: int
    executor: str
    note: str
    created_at: str
    stopped_by: str | None
    paused_by: str | None
    paused_at: str | None
    arms: list[str]  # of many the first
    arm_count: int
    runs: int
    counts: dict[str, int]
    total: int  # that are needed: all, unless it was decided without some
    done: int  # ended, however
    failed: int  # of them, those that did not succeed and that nobody stopped
    rate_per_hour: float | None  # over the last runs, while any runs
    seconds_left: float | None
    bytes: int  # that the files of its ended runs take
    until: deciding.Report | None  # where it runs until it is decided
    importing: bool = False  # runs wait until what they import is imported, for warm starts

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self)


def of_run(run: model.Run) -> RunReport:
    """The report of a run."""
    return RunReport(
        id=run.id,
        batch=f"b{run.batch}",
        arm=run.arm.name,
        notebook=run.arm.notebook,
        number=run.number,
        seed=run.seed,
        params=dict(run.arm.params),
        attempt=run.attempt,
        state=run.state.word,
        reason=run.state.reason,
        exit_code=endings.exit_code(run.state),
        signal=run.state.signal if isinstance(run.state, model.Killed) else None,
        engine=run.arm.engine,
        executor=run.executor,
        host=run.host or None,
        machine=run.machine or run.host or None,
        pid=run.pid,
        runner_pid=run.runner_pid,
        gpu=run.gpu or None,
        queued_at=iso(run.queued_at) or "",
        started_at=iso(run.started_at),
        ended_at=iso(run.ended_at),
        cell=run.cell,
        cells=run.cells,
        log=os.path.join(run.folder, paths.LOG) if run.attempt else None,
        output=None if run.arm.log_only else run.arm.output_of(run.number, run.id),
        metrics=dict(run.metrics),
        resumed_after=run.resumed_after,
        retry_at=iso(run.again.at) if run.again and not run.ended else None,
        bytes=run.bytes,
        cleaned_at=iso(run.cleaned_at),
    )


def until(index: Index, batch: model.Batch) -> deciding.Report | None:
    """How far a batch is that runs until it is decided; None of any other."""
    if batch.until is None:
        return None
    from nbbg.ops import deciding  # for the few such batches

    return deciding.report(index, batch)


def of_batch(index: Index, batch: model.Batch) -> BatchReport:
    """The report of a batch."""
    course = changes.read(index.store.batch(batch.id), batch)
    counts = index.counts(batch.id)
    planned = batch.last - batch.first + 1
    decided = until(index, batch)
    folder = index.store.batch(batch.id)
    supervisor = batches.supervisor_pid(folder)
    found = pace.of_batch(index, batch, counts, course, supervised=supervisor is not None)
    return BatchReport(
        id=batch.name,
        supervisor_pid=supervisor,
        jobs=course.jobs,
        executor=batch.executor,
        note=batch.note,
        created_at=iso(batch.created_at) or "",
        stopped_by=index.stopped_by(batch.id) or None,
        paused_by=course.paused_by or None,
        paused_at=iso(course.paused_at or None),
        arms=list(itertools.islice(batch.arms, ARMS)),
        arm_count=len(batch.arms),
        runs=planned,
        counts=counts,
        total=planned - decided.needless if decided else planned,
        done=found.done,
        failed=found.failed,
        rate_per_hour=found.rate_per_hour,
        seconds_left=found.seconds_left,
        bytes=index.size(batch.id),
        until=decided,
        importing=supervisor is not None and (folder / paths.IMPORTING).exists(),
    )


def iso(when: float | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    if when is None:
        return None
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
