"""The prompt of `nbbg attach`: lines are read here, and executed in the run's kernel."""

from __future__ import annotations

import codeop
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbbg.engines.kernel.subshell import Subshell

PROMPT, MORE = ">>> ", "... "


def converse(kernel: Subshell) -> None:
    """Read, execute and print until Ctrl-D; Ctrl-C drops a line, or interrupts what it does."""
    import readline  # noqa: F401 - gives `input` editing and a history

    while True:
        try:
            source = _statement()
        except KeyboardInterrupt:
            print()
            continue
        except EOFError:
            print()
            return
        if source.strip():
            raised, text = kernel.execute(source)
            if text:
                print(text, file=sys.stderr if raised else sys.stdout)


def _statement() -> str:
    """What a person types, until it is whole."""
    source = input(PROMPT)
    while _goes_on(source):
        source += "\n" + input(MORE)
    return source


def _goes_on(source: str) -> bool:
    try:
        return codeop.compile_command(source) is None
    except (SyntaxError, ValueError, OverflowError):
        return False  # a magic, perhaps; the kernel will tell
