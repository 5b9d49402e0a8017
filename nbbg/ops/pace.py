"""How far a batch is, how fast it goes, and when it will be through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbg.index import Index
    from nbbg.store.changes import Course

RECENT = 50  # endings that the pace is told from
WINDOW = 3600.0  # seconds, or
DURATIONS = 5  # so many runs long, whatever is longer
HOUR = 3600.0
_WAITS = (model.Queued.word, model.Submitted.word, model.Running.word, model.Unknown.word)


@dataclass(frozen=True)
class Pace:
    """What is done of a batch; rate and time left are None where nothing tells them."""

    done: int  # ended, however
    failed: int  # of them, those that did not succeed and that nobody stopped
    rate_per_hour: float | None = None
    seconds_left: float | None = None


def of_batch(
    index: Index,
    batch: model.Batch,
    counts: Mapping[str, int],
    course: Course,
    *,
    supervised: bool,
) -> Pace:
    """The pace of a batch with these counts by state, now.

    No time left is told where nobody starts what waits: in a pause, or without a supervisor.
    """
    waiting = sum(counts.get(word, 0) for word in _WAITS)
    done = sum(counts.values()) - waiting
    failed = sum(counts.get(word, 0) for word in (*model.UNSUCCESSFUL, model.Lost.word))
    live = [run.started_at for run in index.live() if _runs_in(run, batch.id)]
    if not live:
        return Pace(done, failed)
    now = time.time()
    recent = _recent(index.endings(batch.id, RECENT), now)
    begun = [now - (started or now) for started in live]
    queued = counts.get(model.Queued.word, 0)
    machines = len(course.on or batch.options) if batch.executor == "ssh" else 1
    places = batch.at_once(course.jobs) * max(1, machines)
    rate, left = rate_and_left(recent, now, begun, queued, places)
    if queued and (course.paused_at or not supervised):
        left = None
    return Pace(done, failed, rate, left)


def rate_and_left(
    recent: Sequence[tuple[float, float]],
    now: float,
    begun: Sequence[float],
    queued: int,
    jobs: int,
) -> tuple[float | None, float | None]:
    """Runs an hour, and seconds until all are through. Pure.

    Args:
        recent: when the last runs began and ended.
        now: the time.
        begun: for how many seconds each live run has run.
        queued: how many wait.
        jobs: how many run at a time.
    """
    if not recent:
        return None, None
    rate = len(recent) / max(now - min(began for began, _ in recent), 1e-3)
    mean = sum(end - began for began, end in recent) / len(recent)
    # Of the live runs the longest to go; of the others as many at a time as there are places,
    # or as they have come through, where that says more.
    to_go = [max(0.0, mean - seconds) for seconds in begun]
    by_duration = (sum(to_go) + queued * mean) / jobs
    left = (len(begun) + queued) / rate if len(recent) > 2 * jobs and queued else by_duration
    return rate * HOUR, max(left, *to_go)


def _runs_in(run: model.Run, batch: int) -> bool:
    return run.batch == batch and isinstance(run.state, model.Running)


def _recent(endings: Sequence[tuple[float, float]], now: float) -> list[tuple[float, float]]:
    """Those of the last hour, or of the time that some runs take: a pause before is no pace."""
    longest = max((end - began for began, end in endings), default=0.0)
    since = now - max(WINDOW, DURATIONS * longest)
    return [(began, end) for began, end in endings if end > since]
