"""The system's ssh and rsync, each a call with its answer, or a sentence with their own words.

The user's own configuration holds: keys, agents, jump hosts, multiplexing. Nobody is asked for a
password, and a link that is dead is noticed.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

from nbbg import paths
from nbbg.errors import EnvironmentFault, NbbgError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbbg.store.hosts import Host

PATIENCE = 90.0  # seconds for an answer
SETUP_PATIENCE = 1800.0  # seconds in which packages are installed
TRANSFER = 60  # seconds without a byte after which rsync gives up
CONNECT, LOOK_CONNECT = 15, 8  # seconds for a connection; for one who only looks
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
    command = shlex.join(words)
    argv = ["ssh", *OPTIONS, "-o", f"ConnectTimeout={connect}", "--", host.target, command]
    # No pipe for stderr: a master connection that stays in the background would keep it open.
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(
                argv,
                input=text.encode(),
                stdout=subprocess.PIPE,
                stderr=errors,
                check=False,
                timeout=patience,
                start_new_session=True,  # Ctrl-C is for nbbg, which leaves both sides right
            )
        except subprocess.TimeoutExpired:
            message = f"{host.name}: no answer for {patience:.0f} s"
            raise UnreachableError(message) from None
        except FileNotFoundError:
            raise EnvironmentFault("there is no ssh on this machine\ninstall it") from None
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if done.returncode == _BROKEN:
        raise UnreachableError(f"{host.name}: {own_words(said)}{_advice(host, said)}")
    if done.returncode == _NOT_FOUND or "No module named nbbg" in said:
        raise NoProgramError(f"{host.name}: {own_words(said)}")
    if done.returncode:
        raise EnvironmentFault(f"{host.name}: {own_words(said)}")
    return done.stdout.decode(errors="replace")


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
    given = {"folder": host.path, **request}
    words = [python, "-P", "-m", "nbbg.far", verb]
    said = call(host, words, json.dumps(given), patience, connect)
    lines = [line for line in said.splitlines() if line.startswith(paths.ANSWER)]
    if not lines:
        raise EnvironmentFault(f"{host.name}: nbbg gave no answer there: {said.strip()[-200:]}")
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix(paths.ANSWER))
    if fault := answer.get("fault"):
        kind = _KINDS.get(answer.get("kind", ""), EnvironmentFault)
        raise kind(f"{host.name}: {fault}")
    if int(answer["format"]) != paths.FORMAT_VERSION:
        message = (
            f"{host.name}: its nbbg {answer['version']} writes records of format"
            f" {answer['format']}, this one of {paths.FORMAT_VERSION}\nupgrade the older one"
        )
        raise EnvironmentFault(message)
    return answer


def push(host: Host, source: str, target: str, *options: str) -> None:
    """Have a folder there be as one here; what is elsewhere in it there stays.

    Raises:
        EnvironmentFault: it can't be reached, or its disk is full.
    """
    _rsync(host, [*options, source, f"{host.target}:{target}"])


def pull(host: Host, source: str, target: Path, names: Iterable[str], *options: str) -> None:
    """Bring what lies under these names in a folder there.

    Raises:
        EnvironmentFault: it can't be reached.
    """
    listed = "".join(f"{name}\n" for name in names)
    words = ["-r", "--files-from=-", *options, f"{host.target}:{source}/", f"{target}/"]
    _rsync(host, words, listed)


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


def _rsync(host: Host, words: Iterable[str], text: str = "") -> None:
    argv = [
        *("rsync", "-e", shlex.join(["ssh", *OPTIONS, "-o", f"ConnectTimeout={CONNECT}"])),
        *("--protect-args", "--times", "--links"),
        *("--modify-window=-1", f"--timeout={TRANSFER}", "--chmod=D700,Fu+rw,Fgo-rwx"),
        *words,
    ]
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(
                argv,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                check=False,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise EnvironmentFault("there is no rsync on this machine\ninstall it") from None
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if done.returncode in (0, _VANISHED):
        return
    if "rsync: command not found" in said or "rsync: not found" in said:
        raise NoProgramError(f"{host.name}: it has no rsync\ninstall it there")
    broken = done.returncode in (10, 12, 30, 35, _BROKEN) and "No space left" not in said
    kind = UnreachableError if broken else EnvironmentFault
    raise kind(f"{host.name}: {own_words(said)}{_advice(host, said)}")
