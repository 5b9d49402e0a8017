"""What a notebook sees from inside a run: its parameters, its seed, its checkpoints, its metrics.

Everything here is harmless outside a run, and works in the child processes of a run too, for it
goes by environment variables alone. Each name is imported when it is asked for: the engines record
through modules of this package, and most notebooks use none of these. Runs in the user's own
interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbbg.inside.given import checkpoint_dir, params, seed_everything
    from nbbg.inside.metrics import log
    from nbbg.inside.steps import saved, track
    from nbbg.inside.stopping import should_stop

__all__ = [
    "checkpoint_dir",
    "log",
    "params",
    "saved",
    "seed_everything",
    "should_stop",
    "track",
]

_HOMES = {
    "checkpoint_dir": "given",
    "log": "metrics",
    "params": "given",
    "saved": "steps",
    "seed_everything": "given",
    "should_stop": "stopping",
    "track": "steps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module 'nbbg.inside' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f"nbbg.inside.{_HOMES[name]}"), name)
