"""`nbbg.log`: numbers that a run measures, one line a call in `metrics.jsonl`."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

from nbbg import files, paths, secrets
from nbbg.inside import place, values


def log(*, step: Any = None, **metrics: Any) -> None:
    """Record measured values of this run; outside a run they are only checked.

    `nbbg.log(loss=0.3, step=7)`. The last value of each name is shown by `nbbg status` and
    `nbbg results`.

    Args:
        step: where in the run it was measured, such as an epoch.
        **metrics: numbers (also of NumPy, torch and their kin), booleans or text; NaN and
            infinity are kept.

    Raises:
        TypeError: a value is of another kind.
    """
    taken = {name: _masked(_taken(name, value)) for name, value in metrics.items()}
    at = None if step is None else _masked(_taken("step", step))
    if taken:
        append({"step": at, "values": taken})


def append(fields: Any) -> None:
    """Add one line to the metrics of this attempt; outside a run, nothing."""
    folder = place.attempt()
    if folder is None:
        return
    line = files.to_line({"time": time.time(), **fields})
    try:
        fd = folder.open(paths.METRICS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            files.write_all(fd, line)
        finally:
            os.close(fd)
    except OSError as error:  # a full disk must not end a training
        warnings.warn(f"nbbg could not record {fields}: {error}", stacklevel=3)


def _masked(value: Any) -> Any:
    return secrets.mask(value, secrets.values()) if isinstance(value, str) else value


def _taken(name: str, value: Any) -> Any:
    try:
        return values.plain(value)
    except TypeError:
        kind = type(value).__name__
        message = f"nbbg.log({name}=...) takes one number, bool or text, not {kind}"
        raise TypeError(message) from None
