"""What a run is given: its parameters, its seed, its folder for checkpoints."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from nbbg import files, paths
from nbbg.inside import place


def params() -> dict[str, Any]:
    """The parameters that this run was given (`-p`, `params=`); `{}` outside a run."""
    folder = place.attempt()
    spec = folder.read_json(paths.ENGINE) if folder else None
    return dict((spec or {}).get("params") or {})


def seed_everything(seed: int | None = None) -> int:
    """Seed the random numbers of Python, NumPy, torch and TensorFlow; return the seed.

    Call it after your imports: torch and TensorFlow are seeded where they are imported already
    (torch with its GPUs); NumPy wherever it is installed. JAX has no global state: use
    `jax.random.key(nbbg.seed_everything())`.

    Args:
        seed: the run's own, `SEED`, when it is left out; 0 outside a run.
    """
    if seed is None:
        seed = _given_seed()
    random.seed(seed)
    _seed_numpy(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed % 2**63)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(seed % 2**31)
    return seed


def checkpoint_dir() -> Path:
    """A folder that all attempts of this run share; it is there.

    Outside a run: a temporary folder, the same for the whole process, never removed by nbbg.
    """
    given = os.environ.get(paths.CHECKPOINT_DIR)
    if not given:
        return _temporary()
    with contextlib.suppress(OSError):
        files.make_folder(given)
    return Path(given)


def _given_seed() -> int:
    try:
        return int(os.environ.get(paths.SEED, "0"))
    except ValueError:  # outside a run the name may mean anything
        return 0


def _seed_numpy(seed: int) -> None:
    if importlib.util.find_spec("numpy") is None:
        return
    with contextlib.suppress(ImportError):  # installed and broken: nothing to seed
        import numpy as np

        np.random.seed(seed % 2**32)  # noqa: NPY002 - what code without a Generator draws from


@functools.lru_cache(maxsize=None)
def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="nbbg-checkpoint-"))
