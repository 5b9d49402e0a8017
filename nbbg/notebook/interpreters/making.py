"""Environments that a notebook's header asks for, made by uv and kept by their content.

An environment is made once for all notebooks with the same header, in the user's cache folder:
it is no part of a batch, as no interpreter is. `made` in its folder says that it is whole; what
a killed launch has left half made is made anew. One launch makes it, others wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import sysconfig
from typing import TYPE_CHECKING

from nbbg import files
from nbbg.errors import EnvironmentFault
from nbbg.notebook.interpreters.places import cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from nbbg.notebook.interpreters.header import Header

_NEEDS = {"ipython": ("ipython>=7.30",), "kernel": ("ipykernel", "ipython>=7.30")}
_MADE, _LOCK, _SCRIPT, _VENV = "made", "lock", "script.py", "venv"
_LONGEST = 400  # characters of what uv says
_PROGRESS = re.compile(r"\s*(?:Downloading|Building) ")
_SIGNS = re.compile(r"^[\s\u00d7│├╰─▶]*(?:error: |cause: )?", re.MULTILINE)


def environment(
    header: Header,
    engine: str,
    given: Mapping[str, str],
    tell: Callable[[str], None],
) -> str:
    """The interpreter of the environment for a header; made now, or long ago.

    Args:
        header: what is asked for.
        engine: whose needs are added.
        given: the environment of the launch, for PATH, the cache folder and uv's own settings.
        tell: is given a line when something takes its time.

    Raises:
        EnvironmentFault: there is no uv, or it can't make the environment.
    """
    script = header.script(*_NEEDS.get(engine, ()))
    words = f"{platform.system()} {platform.machine()}\n{script}{header.lock}"
    name = hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:16]
    folder = cache(given) / "environments" / name
    python = folder / _VENV / "bin" / "python"
    if not _is_whole(folder, python):
        uv = _uv(header, given)
        try:
            files.make_folder(folder)
            with _alone(folder, header, tell):
                if not _is_whole(folder, python):
                    _make(uv, folder, script, header, {**given}, tell)
        except OSError as error:
            message = f"{folder}: no environment can be made here: {error.strerror}"
            raise EnvironmentFault(f"{message}\nname another place: XDG_CACHE_HOME") from error
    with contextlib.suppress(OSError):
        os.utime(folder / _MADE)  # used now: `nbbg clean --environments` goes by that
    return str(python)


def _is_whole(folder: Path, python: Path) -> bool:
    """Whether the environment is there, and so is the Python that it was made from."""
    return (folder / _MADE).exists() and os.access(python, os.X_OK)


@contextlib.contextmanager
def _alone(folder: Path, header: Header, tell: Callable[[str], None]) -> Iterator[None]:
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.FILE_MODE)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"another launch makes the environment for {header.path.name}; waiting for it")
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _make(
    uv: str,
    folder: Path,
    script: str,
    header: Header,
    given: dict[str, str],
    tell: Callable[[str], None],
) -> None:
    tell(f"making an environment for {header.path.name}: {_listed(header)}")
    with files.Folder(folder) as opened:
        opened.remove(_MADE)
        opened.replace(_SCRIPT, script.encode())
        if header.lock:  # uv keeps the versions in it, and settles what was added
            opened.replace(f"{_SCRIPT}.lock", header.lock.encode())
        venv = str(folder / _VENV)
        shutil.rmtree(venv, ignore_errors=True)
        python = ["--python", header.requires_python] if header.requires_python else []
        given["VIRTUAL_ENV"] = venv
        new = [uv, "venv", "--no-project", "--allow-existing", *python, venv]
        sync = [uv, "sync", "--active", "--script", str(folder / _SCRIPT)]
        try:
            for argv in (new, sync):
                _run(argv, header, given, tell)
        except BaseException:
            shutil.rmtree(venv, ignore_errors=True)
            raise
        opened.replace(_MADE, b"")


def _run(
    argv: list[str], header: Header, given: Mapping[str, str], tell: Callable[[str], None]
) -> None:
    """Let uv work; its downloads are told while they go on."""
    import subprocess

    said = []
    with subprocess.Popen(
        argv,
        cwd=header.path.parent,
        env={**given, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as program:
        assert program.stderr is not None  # noqa: S101 - it is a pipe
        for line in program.stderr:
            said.append(line)
            if _PROGRESS.match(line):
                tell(f"  {line.strip()}")
    if program.returncode:
        raise EnvironmentFault(
            f"{header.path}: uv can't make the environment of its header: {_reason(said)}\n"
            "mend the header in the first code cell, or name an interpreter: --python PATH"
        )


def _reason(said: list[str]) -> str:
    """What uv complains of: the error, and the first and the last of its causes."""
    text = "".join(said)
    begins = re.search(r"(?m)^\s*(?:error:|\u00d7)", text)
    told = text[begins.start() :] if begins else text
    told = re.split(r"(?m)^\s*hint:|\n\s*\n", told)[0]
    told = re.sub(r"(?m)^\s*(?:\d* *\|.*|\^+)\n?", "", told)  # the place in the script made for uv
    parts = [part.rstrip(":") for part in _sentences(told)]
    chosen = parts if len(parts) <= 3 else [*parts[:2], parts[-1]]  # noqa: PLR2004 - see above
    reason = ": ".join(chosen) or "it says nothing"
    return reason if len(reason) <= _LONGEST else reason[:_LONGEST] + " ..."


def _sentences(told: str) -> list[str]:
    """An error and its causes, each on a line of its own however uv has wrapped it."""
    lines = re.sub(r"\n(?!\s*(?:cause:|Caused by:|├|╰))[\s│]*", " ", told.strip()).splitlines()
    return [_SIGNS.sub("", line).removeprefix("Caused by: ").strip() for line in lines]


def _uv(header: Header, given: Mapping[str, str]) -> str:
    """The program: on PATH, or installed beside nbbg."""
    beside = os.path.join(sysconfig.get_path("scripts"), "uv")
    found = shutil.which("uv", path=given.get("PATH"))
    found = found or (beside if os.access(beside, os.X_OK) else None)
    if not found:
        raise EnvironmentFault(
            f"{header.path}: its header `# /// script` asks for an environment, and there is no uv"
            " to make it\npip install 'nbbg[uv]', or name an interpreter: --python PATH"
        )
    return found


def _listed(header: Header) -> str:
    shown = list(header.dependencies[:8])
    more = len(header.dependencies) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])]) or "IPython alone"
