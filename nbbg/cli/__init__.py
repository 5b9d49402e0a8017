"""The command line: each command parses, calls one function of the layers below, and shows.

Data goes to stdout, talk to stderr. A command's module is imported when it is typed.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 200  # characters of a path in a message


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command; its exit code. Without words it is the process's own, and ends it."""
    if argv is not None:
        return _carry_out(argv)
    code = _carry_out(sys.argv[1:])
    _leave(code)
    return code


def _leave(code: int) -> None:
    """End this process, unless a thread or a library has something left to do at its end.

    Python would tidy up its memory first, which takes as long as it takes to start.
    """
    left = atexit._ncallbacks() or sys.getprofile()  # noqa: SLF001 - the only way to know
    threads = sys.modules.get("threading")
    if left or (threads and threads.active_count() > 1):
        return
    with contextlib.suppress(OSError, ValueError):  # then Python says so, as it always does
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _carry_out(argv: Sequence[str]) -> int:
    from nbbg.cli import parser
    from nbbg.errors import NbbgError

    _take_any_text()
    arguments = parser.parse(argv)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except NbbgError as error:
        if arguments.debug:
            raise
        print(f"nbbg: {_plain(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # such as `nbbg logs 7 | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if arguments.debug:
            raise
        print(f"nbbg: {_said(error)}", file=sys.stderr)
        return 2
    return code


def _plain(error: Exception) -> str:
    """What a message quotes may come from a record, and must not steer the terminal."""
    from nbbg import screen

    return screen.without_escapes(str(error))


def _said(error: OSError) -> str:
    """What the system refused, where (a path of hundreds of characters is cut), and what to do."""
    advice = {
        **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make space, and type it again"),
        **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files: ulimit -n 1024"),
        errno.EAGAIN: "end some processes, or allow more: ulimit -u",
        errno.EROFS: "what is there can be read all the same: nbbg status, nbbg logs ID",
    }.get(error.errno or 0, "the whole story: nbbg --debug ...")
    if not isinstance(error.filename, str):
        return f"{_plain(error)}\n{advice}"
    where = error.filename
    shown = where if len(where) <= LONGEST else f"{where[:LONGEST]}..."
    return f"{_plain(OSError(f'{shown}: {error.strerror}'))}\n{advice}"


def _take_any_text() -> None:
    """Escape what the terminal's encoding has not: what one run says must not hide the others."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
