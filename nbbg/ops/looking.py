"""Looking into a live run: which cell it is in, and its kernel's variables while that cell runs."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nbbg import files, journal, model, paths, process
from nbbg.classes import dataclass
from nbbg.errors import NbbgError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbbg.engines.kernel.subshell import Subshell


class CannotLookError(NbbgError):
    """The run lives, and can't be looked into; the text says why, in one clause."""


@dataclass(frozen=True)
class Standing:
    """Where a live run stands: in a cell, or between two."""

    cell: int | None  # 1..cells; None before the first
    cells: int | None
    since: float  # seconds since the epoch
    between: bool


def standing(run: model.Run) -> Standing:
    """Where a run stands, as its journal tells it."""
    with files.Folder(run.folder) as folder:
        begun = journal.find_last(folder, paths.CELLS, "cell")
        ended = journal.find_last(folder, paths.CELLS, "cell_end")
    began = journal.moment(begun.get("time")) if begun else None
    if begun is None or began is None:
        return Standing(None, None, run.started_at or run.queued_at, between=True)
    over = journal.moment(ended.get("time")) if ended else None
    between = over is not None and over >= began
    since = over if over is not None and between else began
    return Standing(begun.get("ordinal"), begun.get("cells"), since, between)


def require_live(run: model.Run) -> None:
    """Refuse a run in which there is nothing to look into.

    Raises:
        UsageError: it waits, or has ended, or can't be told.
    """
    match run.state:
        case model.Running():
            return
        case model.Queued() | model.Submitted():
            message = f"run {run.id} is {run.state.word}: it has not begun\nsee: nbbg status"
        case model.Unknown(why):
            message = f"run {run.id} is unknown: {why}\nsee: nbbg show {run.id}"
        case _:
            word = run.state.word
            message = f"run {run.id} is over ({word})\nlook at: nbbg show {run.id}"
    raise UsageError(message)


@contextlib.contextmanager
def into(run: model.Run, show: Callable[[str], object]) -> Iterator[Subshell]:
    """A subshell of the run's kernel; the run goes on beside it.

    Args:
        run: one that lives.
        show: is given what is printed for us, as it comes.

    Raises:
        CannotLookError: there is no kernel, it has no subshells, or it does not answer.
        UsageError: it has ended meanwhile.
    """
    if run.arm.engine != "kernel":
        raise CannotLookError(f"the {run.arm.engine} engine has one thread, and the cell has that")
    if run.host and run.host != process.host():
        raise CannotLookError(f"its kernel is on {run.host}, and takes no connections from here")
    connection = os.path.join(run.folder, paths.CONNECTION)
    if not os.path.exists(connection):
        raise CannotLookError("its kernel is starting, or ending")
    from nbbg.engines.kernel import subshell

    try:
        with subshell.Subshell(connection, show) as opened:
            yield opened
    except subshell.NoSubshellError as error:
        raise CannotLookError(str(error)) from error
    except subshell.SilentError:
        raise CannotLookError(
            "its kernel does not answer: a call into C holds the interpreter, or it was halted"
        ) from None
    except subshell.GoneError:
        raise UsageError(f"run {run.id} has ended meanwhile\nlook at: nbbg show {run.id}") from None
