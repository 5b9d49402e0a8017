"""The engine as a program: the steps from an attempt's folder to the end of its notebook."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from nbbg import files, holding, paths, stacks, unattended
from nbbg.engines import spec
from nbbg.engines.ipython import surroundings
from nbbg.engines.ipython.execution import INTERRUPTED, End, Execution
from nbbg.engines.ipython.loop import Loop
from nbbg.inside import imported, text_bars
from nbbg.inside.recorder import Recorder
from nbbg.inside.streams import LogWriter, text_layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from nbbg.engines.ipython.shell import ZMQInteractiveShell

TEMPLATE = "nbbg.template"  # in the place of a folder: the process is one that is forked for runs
_OLDEST = (7, 30)


class CannotStartError(Exception):
    """The engine can't do its work here; the text says why, and what to type."""


def main(argv: Sequence[str]) -> int:
    """Execute the attempt whose folder is named, in a process of its own; the exit code.

    Args:
        argv: the program's name and the folder, absolute; or `TEMPLATE`, and it is told later.
    """
    ready, path = None, argv[1]
    if path == TEMPLATE:
        from nbbg.engines.ipython import template

        ready, path = template.serve(argv[0])
    attempt = Attempt(files.Folder(path), ready=ready)
    holding.folders[path] = attempt.folder
    for held in (attempt.spec.lock_fd, *attempt.spec.slot_fds):
        holding.keep_from_children(held)
    os.register_at_fork(after_in_child=attempt.in_forked_child)
    surroundings.set_signals()
    if not ready:
        refuse_questions()
    stacks.answer(attempt.folder)
    code = attempt.execute()
    if ready:
        importlib.import_module("nbbg.engines.ipython.leaving").leave(code)
    return code


def refuse_questions() -> None:
    """What a process needs in which nobody is there, and no page is open."""
    unattended.refuse_input()
    unattended.pass_breakpoints_by()
    text_bars.install()


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


class Ready:
    """What is made of a process before a notebook is executed in it, and needs no attempt.

    Args:
        guest: the folder with what of nbbg this interpreter can import.
        streams: of standard output and standard error.
    """

    def __init__(self, guest: str, streams: Sequence[LogWriter]) -> None:
        surroundings.set_paths(guest)
        if paths.TREE in os.environ:  # this interpreter may have begun without what imports it
            importlib.import_module("nbbg.inside.twins").install()
        surroundings.set_figures()
        self.writers = streams
        self.streams: list[TextIO] = [text_layer(each) for each in streams]
        sys.stdout, sys.stderr = self.streams
        self._shell: ZMQInteractiveShell | None = None
        self.newest = ""  # the last module that was imported before there was an attempt

    def shell(self) -> ZMQInteractiveShell:
        """The shell, made when it is first asked for.

        Raises:
            CannotStartError: there is no IPython here that could make one.
        """
        if self._shell is None:
            self._shell = _new_shell()
        return self._shell

    def rehearse(self) -> None:
        """Compile ahead what the shell reads cells with: a tenth of a short run."""
        made: Any = self.shell()
        made.transform_cell("pass\n")

    @contextlib.contextmanager
    def as_in_a_cell(self) -> Iterator[None]:
        """Meanwhile a library finds what a cell would show it: pandas looks for the shell."""
        made = self.shell()
        with made.builtin_trap, made.display_trap:
            yield


class Attempt:
    """One attempt's folder, and all that the engine opens in it."""

    def __init__(
        self, folder: files.Folder, *, echo: bool = False, ready: Ready | None = None
    ) -> None:
        self.folder = folder
        self.spec = spec.read(folder)
        self.record = Recorder(folder, echo=echo, streams=ready.writers if ready else ())
        self._ready = ready

    def close(self) -> None:
        """Close what was opened in the folder."""
        self.record.close()

    def in_forked_child(self) -> None:
        """The child writes to the log plainly; the journal is the parent's."""
        self.record.in_forked_child()

    def execute(self) -> int:
        """Execute the notebook and say how it ended; returns the exit code."""
        ready = self._ready or Ready(self.spec.guest, (self.record.out, self.record.err))
        sys.argv = [self.spec.path]
        try:
            end = self._notebook(ready)
        except KeyboardInterrupt:
            end = End("interrupted", INTERRUPTED)
        except CannotStartError as error:
            sys.stderr.write(f"nbbg: {error}\n")
            end = End("failed", 1, note=str(error))
        except Exception as error:  # noqa: BLE001 - the record shall end, whatever happens
            traceback.print_exc()
            end = End("failed", 1, note=f"the engine failed: {type(error).__name__}: {error}")
        imported.note(self.folder, ready.newest)
        if self.spec.note_modules:
            imported.note_all(self.folder)
        self.record.event("end", **end.fields())
        return end.code

    def _notebook(self, ready: Ready) -> End:
        try:
            cells = spec.read_cells(self.spec)
        except (OSError, ValueError) as error:
            raise CannotStartError(f"{self.spec.path}: {error}") from error
        self.record.event("begin", cells=len(cells))
        loop = Loop()
        shell = _frozen_shell(ready, self.record, loop, self.folder)
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


def _frozen_shell(
    ready: Ready, record: Recorder, loop: Loop, folder: files.Folder
) -> ZMQInteractiveShell:
    # What is imported here stays to the end: not to look for garbage in it, now, later, and at the
    # interpreter's end, makes a short run a sixth faster.
    gc.disable()
    try:
        made = ready.shell()
        importlib.import_module("nbbg.engines.ipython.shell").adopt(made, record, loop, folder)
        return made
    finally:
        gc.freeze()
        gc.enable()


def _new_shell() -> ZMQInteractiveShell:
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

    return shell.make()
