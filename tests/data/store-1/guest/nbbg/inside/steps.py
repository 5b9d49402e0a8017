"""`nbbg.track` and `nbbg.saved`: a loop whose progress is shown, and that a later attempt resumes.

One number is kept for a whole run, the last saved step, in the folder of its checkpoints. Where
it is not among the steps of the loop that shall be resumed, that is an error: a loop is never
silently started over, and never silently skipped.
"""

from __future__ import annotations

import itertools
import os
import time
from typing import Any, Iterable, Iterator, Sized, TypeVar

from nbbg import files, paths
from nbbg.inside import bars, given, metrics, place, values

Item = TypeVar("Item")
_NOTHING = object()
_saved_here: dict[str, Any] = {}  # by attempt: the step that this very process saved last


def saved(step: Any) -> None:
    """Say that everything needed to go on after `step` is saved; outside a run, nothing.

    Call it after the checkpoint is written: a later attempt's `track(..., resume=True)` starts
    with the step after this one.

    Args:
        step: the loop's item: a number, a text, or anything that JSON takes.

    Raises:
        TypeError: JSON has nothing for it.
    """
    step = _as_step(step)
    attempt = place.attempt()
    if attempt is None:
        return
    record = {"step": step, "attempt": os.environ.get(paths.ATTEMPT), "time": time.time()}
    with files.Folder(given.checkpoint_dir()) as folder:
        folder.replace(paths.SAVED, files.to_json(record))
    _saved_here[attempt.path] = step


def track(
    iterable: Iterable[Item],
    *,
    resume: bool = False,
    desc: str | None = None,
    total: int | None = None,
) -> Iterator[Item]:
    """Go through `iterable` with a progress bar on stderr, which `nbbg status` shows too.

    Args:
        iterable: the steps.
        resume: start after the last step that an earlier attempt `saved`. One loop of a notebook
            can be resumed.
        desc: what stands before the bar.
        total: how many steps there are, where `len(iterable)` can't say it.

    Raises:
        ValueError: the saved step is not among the steps.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    items, done = iter(iterable), 0
    step = _last_saved() if resume else _NOTHING
    if step is not _NOTHING:
        items, done = _after(items, step)
        metrics.append({"resumed_after": step})
    return _tracked(items, bars.Progress(desc, total, done))


def _tracked(items: Iterator[Item], shown: bars.Progress) -> Iterator[Item]:
    bar = bars.start(shown)
    try:
        for item in items:
            yield item
            bar.update()
    finally:
        bar.close()


def _after(items: Iterator[Item], step: Any) -> tuple[Iterator[Item], int]:
    """The items after the saved one, and how many those before are."""
    done = 0
    for item in items:
        done += 1
        if _is_step(item, step):
            break
    else:
        message = f"track(resume=True): the saved step {step!r} is not among its {done} steps"
        raise ValueError(f"{message}; to start over, remove {_where()}")
    return _none_left_out(items, step), done


def _none_left_out(items: Iterator[Item], step: Any) -> Iterator[Item]:
    """The items; an error where an earlier loop of this attempt would make a second one empty."""
    if step != _saved_here.get(paths.attempt_dir() or "", _NOTHING):
        return items
    rest = list(itertools.islice(items, 1))
    if not rest:
        message = f"track(resume=True): step {step!r} was saved in an earlier loop of this attempt"
        raise ValueError(f"{message}; one loop of a notebook can be resumed")
    return itertools.chain(rest, items)


def _last_saved() -> Any:
    if place.attempt() is None:
        return _NOTHING
    with files.Folder(given.checkpoint_dir()) as folder:
        try:
            record = folder.read_json(paths.SAVED)
            return _NOTHING if record is None else record["step"]
        except (ValueError, KeyError, TypeError):
            message = f"track(resume=True): {_where()} can't be read; to start over, remove it"
            raise ValueError(message) from None


def _where() -> str:
    return str(given.checkpoint_dir() / paths.SAVED)


def _as_step(step: Any) -> Any:
    try:
        return values.as_json(step)
    except (TypeError, ValueError):
        kind = type(step).__name__
        message = f"nbbg.saved() takes a step that JSON can hold (a number, a text), not {kind}"
        raise TypeError(message) from None


def _is_step(item: Any, step: Any) -> bool:
    try:
        return bool(values.as_json(item) == step)
    except (TypeError, ValueError):
        return False
