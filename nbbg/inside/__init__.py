"""What a notebook sees from inside a run: its parameters, its seed, its checkpoints, its metrics.

Everything here is harmless outside a run, and works in the child processes of a run too, for it
goes by environment variables alone. Runs in the user's own interpreter: standard library, Python
3.8.
"""

from __future__ import annotations

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
