"""Magics that ipykernel adds to IPython's: in a run they do nothing, or say so."""

# IPython is typed in part:
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

_NO_KERNEL = "no kernel to connect to; `nbbg run --engine kernel` has one"


@magics_class
class KernelMagics(Magics):
    """What a notebook may call because its author had a kernel and a page before him."""

    shell: Any

    @line_magic
    def autosave(self, line: str) -> None:
        """Say what Jupyter says; there is no page to save."""
        try:
            interval = int(line)
        except ValueError:
            raise UsageError(f"%autosave requires an integer, got {line!r}") from None
        print(f"Autosaving every {interval} seconds" if interval else "Autosave disabled")  # noqa: T201

    @line_magic
    def store(self, line: str) -> Any:
        """IPython's own, which a kernel has loaded; it replaces this one when it is needed."""
        self.shell.extension_manager.load_extension("IPython.extensions.storemagic")
        return self.shell.run_line_magic("store", line)

    @line_magic
    def edit(self, line: str) -> None:
        """Nothing: nobody is there to edit."""

    @line_magic
    def qtconsole(self, line: str) -> None:
        """Nothing: there is no kernel to connect to."""

    @line_magic
    def connect_info(self, _: str) -> None:
        """Say how to get what a kernel would offer."""
        print(_NO_KERNEL)  # noqa: T201

    @line_magic
    def subshell(self, _: str) -> None:
        """The same."""
        print(_NO_KERNEL)  # noqa: T201
