"""The IPython shell whose outputs go to the journal.

It is the base shell: neither the one for terminals nor a kernel. Of what the user has in
`~/.ipython`, extensions and `%store` work, but no configuration and no start-up files are read and
no history is kept: a run shall not depend on them, must be able to repeat, and starts faster.
"""

# IPython is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.autocall import ExitAutocall
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type, default
from traitlets.config import Config

from nbbg.engines.ipython import frames, interrupts, main_module
from nbbg.engines.ipython.magics import KernelMagics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbbg import files
    from nbbg.engines.ipython.loop import Loop
    from nbbg.inside.recorder import Recorder


class Result(DisplayHook):
    """The value of a cell's last expression."""

    shell: Any

    def write_output_prompt(self) -> None:
        """Nothing: the notebook shows the number."""

    def write_format_data(
        self, format_dict: Mapping[str, Any], md_dict: Mapping[str, Any] | None = None
    ) -> None:
        """Record it where the log stands."""
        bundle = {"data": format_dict, "metadata": md_dict}
        self.shell.record.display("execute_result", bundle, execution_count=self.prompt_count)


class Displays(DisplayPublisher):
    """What `display` shows, updates and clears."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *_: Any,
        transient: Mapping[str, Any] | None = None,
        update: bool = False,
        **__: Any,
    ) -> None:
        """Record it where the log stands; in a forked child, print its text."""
        self._validate_data(data, metadata)
        record = self.shell.record
        display_id = (transient or {}).get("display_id")
        bundle = {"data": data, "metadata": metadata}
        if record.silent:
            sys.stdout.write(f"{data.get('text/plain', '')}\n")
        elif update and display_id:
            record.update(display_id, bundle)
        else:
            record.display("display_data", bundle, display_id)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002
        """Empty the outputs of the running cell, at once or with the next output."""
        self.shell.record.event("clear", wait=wait)


class Exit(ExitAutocall):
    """`exit`, `exit()`, `exit(3)` and `quit` in a cell end the notebook, as in a script."""

    def __call__(self, code: Any = None) -> None:
        """Leave with that code."""
        raise SystemExit(code)


class ZMQInteractiveShell(InteractiveShell):
    """IPython without a person: figures and errors are recorded, nothing asks or pages.

    Libraries ask for the name of this class, or whether it has a `kernel`, to know that they are
    in a notebook: pandas for how many columns it shows, rich for HTML. Those who want the kernel
    itself see that there is none.
    """

    displayhook_class = Type(Result)  # type: ignore[mutable-override] # it is a traitlet
    display_pub_class = Type(Displays)  # type: ignore[mutable-override]
    record: Recorder
    shown: BaseException | None = None  # the running cell's last exception
    recorded = False  # whether it is among the cell's outputs
    kernel = None
    script_exit: BaseException | None = None  # the `sys.exit` of a script in %run, which goes on
    _in_script = False

    @default("exiter")
    def _exiter_default(self) -> Exit:
        return Exit(self)

    def init_magics(self) -> None:
        """Those of a kernel too."""
        super().init_magics()
        self.register_magics(KernelMagics)

    def init_virtualenv(self) -> None:
        """Nothing: the interpreter was chosen with care."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Nothing: there is no window whose events could be waited for."""

    def set_next_input(self, s: str, replace: bool = False) -> None:  # noqa: FBT001, FBT002
        """Nothing: `%load` and its like would fill a cell of the page."""

    def ask_exit(self) -> None:
        """What extensions call to leave."""
        raise SystemExit

    def system(self, cmd: str) -> None:
        """`!cmd`: its exit code is left in `_exit_code`, as in Jupyter."""
        from subprocess import CalledProcessError

        from nbbg.engines.ipython import command  # late, for few notebooks need it

        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")  # as Jupyter says
        code = command.call(self.var_expand(cmd, depth=1))
        self.user_ns["_exit_code"] = code
        if code and getattr(self, "system_raise_on_error", False):
            raise CalledProcessError(code, cmd)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:  # noqa: FBT001, FBT002
        """`x = !cmd`, which a stop ends as it ends any cell."""
        with interrupts.kept():
            return super().getoutput(cmd, split, depth + 1)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """`%%name`; a stop ends `%%bash` and its like as it ends any cell."""
        magic = self.find_cell_magic(magic_name)
        ours = getattr(magic, "__module__", None) == "IPython.core.magics.script"
        with interrupts.kept() if ours else contextlib.nullcontext():
            return super().run_cell_magic(magic_name, line, cell)

    def safe_execfile(self, *names: Any, **options: Any) -> None:
        """`%run script.py`, whose `sys.exit(3)` is an error of the cell, not the notebook's end."""
        before, self._in_script = self._in_script, True
        try:
            super().safe_execfile(*names, **options)
        finally:
            self._in_script = before

    def execute(self, source: str) -> BaseException | None:
        """Execute a cell as Jupyter does; returns what went wrong in it.

        That is also an exception that was shown while IPython calls the cell a success: under
        %%capture, in %run, when a value or a figure can't be shown. papermill does the same.
        """
        self.shown, self.recorded = None, False
        result = self.run_cell(source, store_history=True)
        errors = (result.error_before_exec, result.error_in_exec, self.shown)
        return next((error for error in errors if error is not None), None)

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,  # noqa: FBT001, FBT002 - IPython's signature
        running_compiled_code: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Show an exception; of `sys.exit`, where it was, and nothing if it was a good end."""
        _, self.shown, _ = sys.exc_info() if exc_tuple is None else exc_tuple
        frames.hide(self.shown)
        if exc_tuple is not None and self.shown is not None:
            exc_tuple = (*exc_tuple[:2], self.shown.__traceback__)
        if exception_only and isinstance(self.shown, SystemExit):
            self.script_exit = self.shown if self._in_script else None
            if self.record.silent or not self.shown.code:
                return
            exception_only = False
        super().showtraceback(exc_tuple, filename, tb_offset, exception_only, running_compiled_code)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        if self.record.silent:
            super()._showtraceback(etype, evalue, stb)
            return
        self.shown, self.recorded = evalue, True
        frames.name_cell(evalue)
        self.record.error(evalue, stb)

    @contextlib.contextmanager
    def _tee(self, channel: str) -> Iterator[None]:  # noqa: ARG002 - IPython 9's signature
        """IPython 9 would keep a copy of all that a cell prints, for as long as the run lasts."""
        yield


def make() -> ZMQInteractiveShell:
    """The shell of this process, with a fresh `__main__` for the notebook's names."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.display_page = True  # `name?` is shown in the cell
    shell = _instance(config)
    # IPython's advice after sys.exit is for someone at a prompt.
    warnings.filterwarnings("ignore", "To exit: use 'exit', 'quit', or Ctrl-D", UserWarning)
    return shell


def adopt(shell: ZMQInteractiveShell, record: Recorder, loop: Loop, folder: files.Folder) -> None:
    """Have the shell record in an attempt's folder, and be where the notebook is."""
    shell.record = record
    shell.loop_runner = loop
    main_module.adopt(shell.user_module, folder)
    shell.starting_dir = os.getcwd()
    shell.user_ns["_dh"][:] = [Path.cwd()]


def _instance(config: Config) -> ZMQInteractiveShell:
    shell: ZMQInteractiveShell
    try:
        shell = ZMQInteractiveShell.instance(config=config)
    except OSError:  # a home folder that is full or read-only is no reason not to run
        import tempfile

        shell = ZMQInteractiveShell.instance(
            config=config, ipython_dir=tempfile.mkdtemp(prefix="ipython-")
        )
    return shell
