"""The engine for Python notebooks: an IPython shell in this process; no kernel, no sockets.

`main` is what the runner starts, in the user's own interpreter; `run` executes an attempt in the
process that calls it, for a debugger. Everything in here needs the standard library and IPython
7.30 or later, Python 3.8 or later.
"""

from __future__ import annotations

from nbbg.engines.ipython.program import main, run

__all__ = ["main", "run"]
