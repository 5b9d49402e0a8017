"""The command line: each command parses, calls one function of the layers below, and shows.

Data goes to stdout, talk to stderr. A command's module is imported when it is typed.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command; its exit code."""
    from nbbg.cli import parser
    from nbbg.errors import NbbgError

    _take_any_text()
    arguments = parser.parse(sys.argv[1:] if argv is None else argv)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except NbbgError as error:
        if arguments.debug:
            raise
        print(f"nbbg: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # such as `nbbg logs 7 | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if arguments.debug:
            raise
        print(f"nbbg: {_sentence(error)}", file=sys.stderr)
        return 2
    return code


def _sentence(error: OSError) -> str:
    """What the system refused, where, and what to do about it."""
    advice = {
        **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make space, and type it again"),
        **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files: ulimit -n 1024"),
        errno.EAGAIN: "end some processes, or allow more: ulimit -u",
        errno.EROFS: "what is there can be read all the same: nbbg status, nbbg logs ID",
    }.get(error.errno or 0, "the whole story: nbbg --debug ...")
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"{what}\n{advice}"


def _take_any_text() -> None:
    """Escape what the terminal's encoding has not: what one run says must not hide the others."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
