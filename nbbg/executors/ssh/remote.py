"""The system's ssh and rsync, each a call with its answer, or a sentence with their own words.

The user's own configuration holds: keys, agents, jump hosts, multiplexing. Nobody is asked for a
password, and a link that is dead is noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from nbbg import files, paths
from nbbg.errors import EnvironmentFault, NbbgError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbbg.store.hosts import Host

PATIENCE = 90.0  # seconds for an answer
SETUP_PATIENCE = 1800.0  # seconds in which packages are installed
TRANSFER = 60  # seconds without a byte after which rsync gives up
CONNECT, LOOK_CONNECT = 15, 8  # seconds for a connection; for one who only looks
MOST = 1 << 28  # bytes of an answer
_LOOK = 1.0  # seconds
_TOLD = 1 << 16  # bytes of what is said on stderr
OPTIONS = (
    *("-o", "BatchMode=yes"),
    *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
)
_BROKEN, _NOT_FOUND, _VANISHED = 255, 127, 24
_NOISE = re.compile(
    r"@+|hint: .*|Warning: Permanently added .*|\*\* .*|rsync error: .*"
    r"|rsync: connection unexpectedly.*"
)
_CAUSE = re.compile(r"(?:cause|Caused by): (.*)")
_CAUSES = ("No space left", "not found", "No such file")
_REMOVES = re.compile(r"^\s*(ssh-keygen -f .* -R .*)$", re.MULTILINE)
_KINDS: dict[str, type[NbbgError]] = {
    each.__name__: each for each in (UsageError, EnvironmentFault, NbbgError)
}


class UnreachableError(EnvironmentFault):
    """The link is cut, or was never there; nothing is known of what the other side did."""


class NoProgramError(EnvironmentFault):
    """The other side answers, and has no such program."""


class _Done(NamedTuple):
    code: int
    output: bytes
    said: str


def call(
    host: Host,
    words: Iterable[str],
    text: str = "",
    patience: float = PATIENCE,
    connect: int = CONNECT,
) -> str:
    """Carry out a command there, with `text` as its input; what it printed.

    Args:
        host: where.
        words: the command.
        text: its input.
        patience: seconds for the answer.
        connect: seconds for the connection.

    Raises:
        EnvironmentFault: it can't be reached, or says no; in its own words.
    """
    argv = ["ssh", *OPTIONS, "-o", f"ConnectTimeout={connect}", "--", host.target]
    code, output, said = _carry_out(host, [*argv, shlex.join(words)], text.encode(), patience)
    if code == _BROKEN:
        raise UnreachableError(f"{host.name}: {own_words(said)}{_advice(host, said)}")
    if code == _NOT_FOUND or "No module named nbbg" in said:
        raise NoProgramError(f"{host.name}: {own_words(said)}")
    if code:
        raise EnvironmentFault(f"{host.name}: {own_words(said)}")
    return output.decode(errors="replace")


def ask(
    host: Host,
    python: str,
    verb: str,
    request: Mapping[str, Any],
    patience: float = PATIENCE,
    connect: int = CONNECT,
) -> dict[str, Any]:
    """Have nbbg's own program there do something.

    Args:
        host: where.
        python: the interpreter there that has nbbg.
        verb: what to do, see `nbbg.far`.
        request: with what; secrets too, for it goes through ssh's input.
        patience: seconds for the answer.
        connect: seconds for the connection.

    Raises:
        NbbgError: it can't be reached, or can't do it.
    """
    given = {"folder": host.path, "format": paths.FORMAT_VERSION, **request}
    words = [python, "-P", "-m", "nbbg.far", verb]
    said = call(host, words, json.dumps(given), patience, connect)
    lines = [line for line in said.splitlines() if line.startswith(paths.ANSWER)]
    if not lines:
        raise EnvironmentFault(f"{host.name}: nbbg gave no answer there: {said.strip()[-200:]}")
    try:
        answer: dict[str, Any] = files.from_json(lines[-1].removeprefix(paths.ANSWER))
        version, written = str(answer["version"]), int(answer["format"])
        fault, kind = str(answer.get("fault", "")), str(answer.get("kind", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnvironmentFault(f"{host.name}: its answer can't be read: {error}") from error
    if written != paths.FORMAT_VERSION:
        message = (
            f"{host.name}: its nbbg {version} writes records of format"
            f" {written}, this one of {paths.FORMAT_VERSION}\nupgrade the older one"
        )
        raise EnvironmentFault(message)
    if fault:
        raise _KINDS.get(kind, EnvironmentFault)(f"{host.name}: {fault}")
    return answer


def push(host: Host, source: str, target: str, *options: str) -> None:
    """Have a folder there be as one here; what is elsewhere in it there stays.

    Raises:
        EnvironmentFault: it can't be reached, or its disk is full.
    """
    _rsync(host, [*options, "--", source, f"{host.target}:{target}"])


def pull(
    host: Host,
    source: str,
    target: Path,
    names: Iterable[str],
    *options: str,
    keeps: int | None = None,
) -> None:
    """Bring what lies under these names in a folder there, but for links that lead out of it.

    Args:
        host: where.
        source: the folder there.
        target: the folder here.
        names: in it.
        options: of rsync.
        keeps: a descriptor that rsync holds open, such as of a lock.

    Raises:
        EnvironmentFault: it can't be reached.
    """
    listed = b"".join(os.fsencode(name) + b"\0" for name in names)
    words = ["-r", "--safe-links", "--from0", "--files-from=-", *options, "--"]
    _rsync(host, [*words, f"{host.target}:{source}/", f"{target}/"], listed, keeps)


def own_words(said: str) -> str:
    """What names the cause."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if not _NOISE.fullmatch(line)]
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        return "its host key has changed: Host key verification failed."
    if telling and (cause := _CAUSE.fullmatch(telling[-1])):  # uv's: what failed, then why
        return ": ".join([*(each for each in telling if each.startswith("error:")), cause[1]])
    causes = [line for line in telling if any(each in line for each in _CAUSES)]
    return (causes or telling or lines or ["no reason was given"])[0 if causes else -1]


def _advice(host: Host, said: str) -> str:
    """What to type next."""
    shown = shlex.quote(host.target)
    if "HAS CHANGED" in said:
        removes = _REMOVES.search(said)  # as some systems say it
        name = shlex.quote(host.target.rpartition("@")[2])
        what = removes[1].strip() if removes else f"ssh-keygen -R {name}"
        return f"\nif that is meant: {what}, then ssh {shown}"
    if "Permission denied" in said or "Host key verification" in said:
        return f"\nsee to it that this works without a question: ssh {shown} true"
    return ""


def _rsync(host: Host, words: Iterable[str], given: bytes = b"", keeps: int | None = None) -> None:
    argv = [
        *("rsync", "-e", shlex.join(["ssh", *OPTIONS, "-o", f"ConnectTimeout={CONNECT}"])),
        *("--protect-args", "--times", "--links"),
        *("--modify-window=-1", f"--timeout={TRANSFER}", "--chmod=D700,Fu+rw,Fgo-rwx"),
        *words,
    ]
    code, _, said = _carry_out(host, argv, given, keeps=keeps)
    if code in (0, _VANISHED):
        return
    if "rsync: command not found" in said or "rsync: not found" in said:
        raise NoProgramError(f"{host.name}: it has no rsync\ninstall it there")
    broken = code in (10, 12, 30, 35, _BROKEN) and "No space left" not in said
    kind = UnreachableError if broken else EnvironmentFault
    raise kind(f"{host.name}: {own_words(said)}{_advice(host, said)}")


def _carry_out(
    host: Host,
    argv: list[str],
    given: bytes,
    patience: float | None = None,
    keeps: int | None = None,
) -> _Done:
    """Run a program of this machine's to its end, but no longer than `patience` seconds."""
    # No pipe for stderr: a master connection that stays in the background would keep it open.
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=() if keeps is None else (keeps,),
                start_new_session=True,  # Ctrl-C is for nbbg, which leaves both sides right
            )
        except FileNotFoundError:
            message = f"there is no {argv[0]} on this machine\ninstall it"
            raise EnvironmentFault(message) from None
        try:
            deadline = time.monotonic() + (patience or float("inf"))
            output = _exchange(host, child, given, errors, deadline)
            code = child.wait(patience)
        except (TimeoutError, subprocess.TimeoutExpired):
            _end(child)
            raise UnreachableError(f"{host.name}: no answer for {patience:.0f} s") from None
        except BaseException:
            _end(child)
            raise
        errors.seek(0)
        return _Done(code, output, errors.read(_TOLD).decode(errors="replace"))


def _exchange(
    host: Host,
    child: subprocess.Popen[bytes],
    given: bytes,
    errors: IO[bytes],
    deadline: float,
) -> bytes:
    """Write a program's input, and read its output to the end.

    Raises:
        TimeoutError: it takes too long.
        EnvironmentFault: it does not end.
    """
    assert child.stdin is not None  # noqa: S101 - they are pipes
    assert child.stdout is not None  # noqa: S101
    found, left = bytearray(), memoryview(given)
    with child.stdin as source, child.stdout as output, selectors.DefaultSelector() as ready:
        ready.register(output, selectors.EVENT_READ)
        if not left:
            source.close()
        else:
            ready.register(source, selectors.EVENT_WRITE)
        while ready.get_map():
            now = {key.fileobj for key, _ in ready.select(_LOOK)}
            if source in now and not (left := _written(source, left)):
                ready.unregister(source)
                source.close()
            if output in now:
                data = os.read(output.fileno(), 1 << 16)
                if not data:
                    ready.unregister(output)
                found += data
            if max(len(found), os.fstat(errors.fileno()).st_size) > MOST:
                raise EnvironmentFault(f"{host.name}: its answer does not end")
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(found)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # what it has started for the link, too
    child.wait()


def _written(source: IO[bytes], left: memoryview) -> memoryview:
    """What is left to write; nothing where nobody reads it any more."""
    try:
        return left[os.write(source.fileno(), left[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return left[:0]
