"""`!command` of a cell: a child that writes into the log by itself, without a terminal.

IPython's own goes through a pseudo-terminal, keeps all output in memory and swallows the
KeyboardInterrupt of a stop, so that the notebook would go on.
"""

from __future__ import annotations

import codecs
import os
import shutil
import subprocess
import sys

from nbbg.inside.streams import LogWriter

_CHUNK = 1 << 16
_SIGNALLED = 128


def call(command: str) -> int:
    """Execute it with the user's shell; negative: the signal that ended it."""
    shell = shutil.which(os.environ.get("SHELL", "sh")) or "/bin/sh"
    argv = [shell, "-c", command]
    code = subprocess.call(argv) if _writes_to_the_log() else _through_stdout(argv)
    return _SIGNALLED - code if code > _SIGNALLED else code


def _writes_to_the_log() -> bool:
    """Whether fd 1 is where `print` goes: not under %%capture, not for someone who watches."""
    writer = getattr(sys.stdout, "buffer", None)
    return isinstance(writer, LogWriter) and not writer.echo


def _through_stdout(argv: list[str]) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            for chunk in iter(lambda: os.read(_output(child), _CHUNK), b""):
                sys.stdout.write(decoder.decode(chunk))
        except BaseException:
            child.kill()
            raise
    return child.returncode


def _output(child: subprocess.Popen[bytes]) -> int:
    return child.stdout.fileno() if child.stdout else -1
