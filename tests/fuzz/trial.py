"""One bad input, given to a command in this very process: what must hold, whatever the input is.

A command ends with an exit code, without a traceback, soon, and without a change to the project
or the home folder. `NBBG_EXAMPLES=20` tries twenty times as many inputs.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
import traceback
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings

from nbbg import cli
from nbbg.errors import NbbgError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MORE = int(os.environ.get("NBBG_EXAMPLES", "1"))
SOON = 20.0  # seconds, on a busy machine
CODES = (0, 1, 2, 124)
_CACHES = {"__pycache__", ".cache", "guest", "index.db", "index.db-journal"}


def examples(number: int) -> settings:
    """So many inputs, or `NBBG_EXAMPLES` times as many."""
    return settings(
        max_examples=number * MORE,
        deadline=None,  # SOON is ours
        suppress_health_check=[*HealthCheck],
        derandomize=MORE == 1,  # the suite says the same each time
        database=None,
    )


class Trial:
    """A project that inputs are put into, which is the current folder meanwhile."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        self.tried = 0

    def put(self, name: str, data: bytes) -> Path:
        """An input file, over the one before."""
        path = self.root / name
        path.write_bytes(data)
        return path

    def answer(self, *words: str) -> tuple[int, str]:
        """Carry out a command, whatever its input holds; its exit code and what it said."""
        raw = io.BytesIO()
        out = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
        began = time.monotonic()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = _carry_out(words)
        said = raw.getvalue().decode(errors="replace")
        assert time.monotonic() - began < SOON, words
        assert code in CODES, f"{words}\n{code}\n{said}"
        assert "\nTraceback (most" not in f"\n{said}", f"{words}\n{said}"
        assert "nbbg: [Errno" not in said, f"{words}\n{said}"
        self.tried += 1
        return int(str(code)), said

    def command(self, *words: str) -> tuple[int, str]:
        """The same for one that must change nothing."""
        before = self._content()
        code, said = self.answer(*words)
        assert self._content() == before, words
        return code, said

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a parser; what it makes, or None where it refuses with a message of ours."""
        began = time.monotonic()
        found = None
        with contextlib.suppress(NbbgError):
            found = function(*arguments)
        assert time.monotonic() - began < SOON
        self.tried += 1
        return found

    def _content(self) -> dict[str, tuple[int, ...]]:
        """What changes when a file does: quicker to look at than what is in it."""
        return {
            str(path): (found.st_mode, found.st_ino)
            if path.is_dir()
            else (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns)
            for folder in (self.root, self.home)
            for path in folder.rglob("*")
            if not _CACHES & {*path.parts} and (found := path.lstat())
        }


def _carry_out(words: tuple[str, ...]) -> object:
    try:
        return cli.main(words)
    except SystemExit as error:
        return error.code or 0
    except Exception:  # noqa: BLE001 - the very thing that is looked for
        return traceback.format_exc()
