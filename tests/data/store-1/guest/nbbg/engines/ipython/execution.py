"""The cells of a notebook, one after the other, and how it ended.

A cell that raises ends the notebook, unless it is tagged `raises-exception`. `End` is what the
journal's last event says.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Sequence

from nbbg.inside.recorder import text_of

if TYPE_CHECKING:
    from nbbg.engines.ipython.loop import Loop
    from nbbg.engines.ipython.shell import ZMQInteractiveShell
    from nbbg.engines.spec import Cell
    from nbbg.inside.recorder import Recorder

INTERRUPTED = 128 + signal.SIGINT
_LONGEST = 4000  # characters of an exception's text in the journal's end, which is read whole


class End(NamedTuple):
    """How a notebook ended; `code` is the exit code of the engine."""

    status: str  # "succeeded", "failed", "exited", "interrupted"
    code: int
    ordinal: int | None = None
    error: dict[str, str] | None = None
    left_out: Sequence[int] = ()
    note: str = ""
    raised: Sequence[int] = ()  # cells that raised, where errors are allowed

    def fields(self) -> dict[str, Any]:
        """Of the journal's `end` event."""
        return {
            "status": self.status,
            "ordinal": self.ordinal,
            "error": self.error,
            "exit_code": self.code,
            "signal": None,
            "left_out": list(self.left_out),
            "raised": list(self.raised),
            "note": self.note,
        }

    @property
    def good(self) -> bool:
        """Whether the reader will call it a success."""
        return self.code == 0


class Execution:
    """All cells of one notebook in one shell."""

    def __init__(
        self,
        cells: Sequence[Cell],
        shell: ZMQInteractiveShell,
        record: Recorder,
        loop: Loop,
        *,
        allow_errors: bool = False,
    ) -> None:
        self.cells = cells
        self.allow_errors = allow_errors
        self.raised: list[int] = []
        self.shell = shell
        self.record = record
        self.loop = loop

    def run(self) -> End:
        """Execute the cells up to the first that ends the notebook."""
        ordinal = None
        try:
            for cell in self.cells:
                ordinal = cell.ordinal
                end = self._cell(cell)
                if end is not None:
                    return end._replace(left_out=self._left_out(ordinal), raised=self.raised)
        except KeyboardInterrupt as error:  # between two cells
            return self._ended(error, ordinal)._replace(left_out=self._left_out(ordinal))
        return End("succeeded", 0, ordinal, raised=self.raised)

    def _cell(self, cell: Cell) -> End | None:
        if cell.idle:
            self.record.event("cell_end", cell=cell.position, status="skipped")
            return None
        self.record.event(
            "cell",
            cell=cell.position,
            ordinal=cell.ordinal,
            cells=len(self.cells),
            count=self.shell.execution_count,
        )
        error = self._execute(cell.source)
        end = None if error is None else self._ended(error, cell.ordinal)
        bad = end is not None and not end.good
        self.record.event("cell_end", cell=cell.position, status="error" if bad else "ok")
        if end is None or end.status != "failed":
            return end
        if self.allow_errors and not cell.may_raise:
            self.raised.append(cell.ordinal)
        return None if self.allow_errors or cell.may_raise else end

    def _execute(self, source: str) -> BaseException | None:
        try:
            with self.loop.around(source):
                error = self.shell.execute(source)
        except (KeyboardInterrupt, SystemExit) as beside:  # in a task that the cell started
            error = beside
        if self.record.silent:
            _leave_forked_child(error)
        if error is not None and self.loop.interrupted:
            error = KeyboardInterrupt()
        return error

    def _ended(self, error: BaseException, ordinal: int | None) -> End:
        if isinstance(error, SystemExit) and error is not self.shell.script_exit:
            code = exit_code(error)
            return End("exited", code, ordinal, self._described(error) if spoken(error) else None)
        if not self.shell.recorded:  # IPython showed it as plain text
            self.record.error(error, [f"{type(error).__name__}: {text_of(error)}"])
        described = self._described(error)
        if isinstance(error, KeyboardInterrupt):
            return End("interrupted", INTERRUPTED, ordinal, described)
        return End("failed", 1, ordinal, described)

    def _described(self, error: BaseException) -> dict[str, str]:
        value = self.record.masked(text_of(error))[:_LONGEST]
        return {"name": type(error).__name__, "value": value}

    def _left_out(self, ordinal: int | None) -> list[int]:
        after = ordinal or 0
        return [cell.ordinal for cell in self.cells if cell.ordinal > after and not cell.idle]


def spoken(error: SystemExit) -> bool:
    """Whether it says why, as `sys.exit("no data")` does."""
    return error.code is not None and not isinstance(error.code, int)


def exit_code(error: SystemExit) -> int:
    """As the shell sees it; a text is printed, as Python does at the end of a script."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def _leave_forked_child(error: BaseException | None) -> None:
    """End a child that a cell made with `os.fork`: the rest of the notebook is the parent's."""
    code = exit_code(error) if isinstance(error, SystemExit) else int(error is not None)
    os._exit(code)
