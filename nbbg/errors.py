"""Everything that nbbg raises on purpose, so that a caller can catch one class.

NbbgError                 base; its text is one or two lines: what, where, what to type next
├── UsageError            the request can't be meant (`--runs 0`, an unknown id, a bad name)
├── NotebookError         a notebook, script or parameter can't be read as what it should be
├── StoreError            a record or the store itself can't be read, written or trusted
├── EnvironmentFault      the machine lacks something (an interpreter, IPython, tmux, a kernel)
├── Abandoned             what is waited for is queued, and nobody will start it
└── RunFailed             raised to Python callers of `run_notebook` when the run did not succeed
"""

from __future__ import annotations


class NbbgError(Exception):
    """Base of all errors with a message for the person; `str(error)` is that message."""


class UsageError(NbbgError):
    """The request can't be meant as it stands."""


class NotebookError(NbbgError):
    """A notebook, script or parameter can't be read as what it should be."""


class StoreError(NbbgError):
    """A record, or the store, can't be read, written or trusted."""


class EnvironmentFault(NbbgError):  # noqa: N818 - EnvironmentError is Python's own
    """The machine lacks something that the request needs."""


class Abandoned(NbbgError):  # noqa: N818 - says what happened
    """What is waited for is queued, and nobody will start it."""


class RunFailed(NbbgError):  # noqa: N818 - reads as what happened, as in subprocess.CalledProcessError
    """A run that Python code waited for did not succeed."""
