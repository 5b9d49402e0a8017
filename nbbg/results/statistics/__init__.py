"""Figures of few seeds, as pure functions on NumPy arrays: the only place that uses SciPy.

The last axis of an array counts the seeds, and all axes before it are many samples at once, so
that a simulation calls the very functions that a verdict is made of. Every function names its
source; docs/comparing.md says which are used where, and why.
"""

from __future__ import annotations

from nbbg.errors import EnvironmentFault

try:
    import numpy as np  # noqa: F401 - here, so that its absence is said once for all modules
    import scipy.special  # noqa: F401
except ModuleNotFoundError as error:
    missing = (error.name or "scipy").partition(".")[0]
    message = f"comparing needs {missing}, which is not installed\npip install 'nbbg[compare]'"
    raise EnvironmentFault(message) from error

ALPHA = 0.05  # the share of false claims that a verdict may make
CONFIDENCE = 1 - ALPHA  # of every interval
