"""The engine as a program: the steps from an attempt's folder to the end of its notebook."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

from nbbg import files, holding, paths, stacks, unattended
from nbbg.engines import spec
from nbbg.engines.ipython import surroundings
from nbbg.engines.ipython.execution import INTERRUPTED, End, Execution
from nbbg.engines.ipython.loop import Loop
from nbbg.inside import imported, text_bars
from nbbg.inside.recorder import Recorder
from nbbg.inside.streams import text_layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from nbbg.engines.ipython.shell import ZMQInteractiveShell

_OLDEST = (7, 30)


class CannotStartError(Exception):
    """The engine can't do its work here; the text says why, and what to type."""


def main(argv: Sequence[str]) -> int:
    """Execute the attempt whose folder is named, in a process of its own; the exit code.

    Args:
        argv: the program's name and the folder, absolute.
    """
    attempt = Attempt(files.Folder(argv[1]))
    holding.folders[argv[1]] = attempt.folder
    for held in (attempt.spec.lock_fd, *attempt.spec.slot_fds):
        holding.keep_from_children(held)
    os.register_at_fork(after_in_child=attempt.in_forked_child)
    surroundings.set_signals()
    unattended.refuse_input()
    unattended.pass_breakpoints_by()
    text_bars.install()
    stacks.answer(attempt.folder)
    return attempt.execute()


def run(attempt_dir: str, *, terminal: bool = False) -> int:
    """Execute an attempt; returns the exit code.

    Args:
        attempt_dir: the attempt's folder, absolute.
        terminal: in the process of someone who watches: show what is written, leave standard
            input to a debugger, and put back what was changed.
    """
    if not terminal:
        return main(["", attempt_dir])
    from nbbg.engines.ipython import inline

    with files.Folder(attempt_dir) as folder, inline.restored():
        attempt = Attempt(folder, echo=True)
        try:
            return attempt.execute()
        finally:
            attempt.close()


class Attempt:
    """One attempt's folder, and all that the engine opens in it."""

    def __init__(self, folder: files.Folder, *, echo: bool = False) -> None:
        self.folder = folder
        self.spec = spec.read(folder)
        self.record = Recorder(folder, echo=echo)

    def close(self) -> None:
        """Close what was opened in the folder."""
        self.record.close()

    def in_forked_child(self) -> None:
        """The child writes to the log plainly; the journal is the parent's."""
        self.record.in_forked_child()

    def execute(self) -> int:
        """Execute the notebook and say how it ended; returns the exit code."""
        surroundings.set_paths(self.spec)
        self._import_frozen()
        surroundings.set_figures()
        sys.stdout, sys.stderr = text_layer(self.record.out), text_layer(self.record.err)
        try:
            end = self._notebook()
        except KeyboardInterrupt:
            end = End("interrupted", INTERRUPTED)
        except CannotStartError as error:
            sys.stderr.write(f"nbbg: {error}\n")
            end = End("failed", 1, note=str(error))
        except Exception as error:  # noqa: BLE001 - the record shall end, whatever happens
            traceback.print_exc()
            end = End("failed", 1, note=f"the engine failed: {type(error).__name__}: {error}")
        imported.note(self.folder)
        self.record.event("end", **end.fields())
        return end.code

    def _import_frozen(self) -> None:
        """Where this interpreter has begun without what has it import the frozen tree."""
        if paths.TREE in os.environ:
            importlib.import_module("nbbg.inside.twins").install()

    def _notebook(self) -> End:
        try:
            cells = spec.read_cells(self.spec)
        except (OSError, ValueError) as error:
            raise CannotStartError(f"{self.spec.path}: {error}") from error
        self.record.event("begin", cells=len(cells))
        loop = Loop()
        shell = _shell(self.record, loop, self.folder)
        if self.spec.results:  # imported while it is known to be there: a project may be moved
            importlib.import_module("nbbg.inside.kept")
        allow = self.spec.allow_errors
        end = Execution(cells, shell, self.record, loop, allow_errors=allow).run()
        if end.good:
            self._keep(shell.user_ns)
        loop.close()
        return end

    def _keep(self, names: Mapping[str, Any]) -> None:
        if self.spec.results:
            from nbbg.inside import kept

            kept.keep(names, self.spec.results, self.folder.where())


def _shell(record: Recorder, loop: Loop, folder: files.Folder) -> ZMQInteractiveShell:
    # What is imported here stays to the end: not to look for garbage in it, now, later, and at the
    # interpreter's end, makes a short run a sixth faster.
    gc.disable()
    try:
        return _new_shell(record, loop, folder)
    finally:
        gc.freeze()
        gc.enable()


def _new_shell(record: Recorder, loop: Loop, folder: files.Folder) -> ZMQInteractiveShell:
    wanted = f"type: {sys.executable} -m pip install 'ipython>=7.30'"
    try:
        import IPython
    except ImportError as error:
        problem = f"IPython can't be imported in {sys.executable} ({error})"
        raise CannotStartError(f"{problem}; {wanted}") from error
    if IPython.version_info[:2] < _OLDEST:
        found = f"IPython {IPython.__version__} in {sys.executable} is too old"
        raise CannotStartError(f"{found}; {wanted}")
    from nbbg.engines.ipython import shell

    return shell.make(record, loop, folder)
