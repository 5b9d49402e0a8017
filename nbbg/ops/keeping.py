"""The results that a run kept: variables of its notebook, as JSON or, where JSON can't, pickled.

What is JSON everybody may read. Unpickling executes what the pickle says, and a store can come from
elsewhere; so a pickle is loaded only by whoever says that they trust it, or by the very call that
had it made.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault, StoreError, UsageError
from nbbg.store import results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg import model

MOST = 1 << 20  # bytes of JSON that are put into a listing
LONGEST = 400  # characters of the reason why one was left out

# The folder that it works in comes last: a `numbers.py` of the user's is not Python's own.
_SHOW = """import sys

sys.path[:] = [sys.argv[1], *(each for each in sys.path if each)]
from nbbg.inside import kept

sys.path.append("")
try:
    value = kept.load(sys.argv[2])
except ValueError as error:
    sys.exit(str(error))
print(value)
"""


@dataclass(frozen=True)
class Kept:
    """One result of a run."""

    name: str
    kind: str  # "json", "pickle" or "left out"
    path: str  # absolute
    size: int  # bytes
    json_path: str = ""  # what may be read of it without trust; of a pickled number too

    @property
    def is_readable(self) -> bool:
        """Whether it may be read without trust."""
        return bool(self.json_path)

    @property
    def is_short(self) -> bool:
        """Whether a listing shows its value."""
        return self.is_readable and os.path.getsize(self.json_path) <= MOST

    @property
    def value(self) -> Any:
        """What may be read of it without trust.

        Raises:
            UsageError: it is a pickle alone, or was left out.
        """
        if not self.is_readable:
            raise UsageError(self.problem)
        try:
            return json.loads(Path(self.json_path).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            message = f"{self.json_path} can't be read: {error}"
            raise StoreError(message) from error

    def load(self) -> Any:
        """The variable itself, unpickled where it must be, which can execute anything.

        Raises:
            StoreError: it can't be loaded here, or somebody else could have written it.
            UsageError: it was left out.
        """
        if self.kind != results.PICKLE:
            return self.value
        _refuse_strangers(self.path)
        try:
            from nbbg.inside import kept

            return kept.load(self.path)
        except ValueError as error:
            raise StoreError(str(error)) from error

    @property
    def problem(self) -> str:
        """Why there is nothing to read without trust."""
        if self.kind == results.PICKLE:
            return f"the result {self.name} is a pickle, and loading one can execute anything"
        reason = " ".join(Path(self.path).read_text(errors="replace").split())[:LONGEST]
        return f"the result {self.name} was not kept: {reason}"

    def to_json(self) -> dict[str, Any]:
        """As a listing gives it: with its value where that may be read and is not huge."""
        found = {"kind": self.kind, "bytes": self.size, "file": self.path}
        try:
            return {**found, "value": files.strict(self.value)} if self.is_short else found
        except StoreError as error:  # one file that is broken spoils no listing
            return {**found, "error": str(error)}


class Results(Mapping[str, Any]):
    """The kept results of a run by name, each read when it is asked for.

    Asking for a pickle raises UsageError unless they are trusted; a variable that could not be kept
    raises it too. `kept` tells what there is without reading anything.
    """

    def __init__(self, found: Mapping[str, Kept], *, trust: bool) -> None:
        self.kept = found
        self.trust = trust

    def __getitem__(self, name: str) -> Any:
        found = self.kept[name]
        if self.trust:
            return found.load()
        if not found.is_readable:
            raise UsageError(f"{found.problem}\nif you trust who wrote it: run.results(trust=True)")
        return found.value

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def __repr__(self) -> str:
        return f"<Results {', '.join(f'{one.name} ({one.kind})' for one in self.kept.values())}>"


def of_run(run: model.Run) -> dict[str, Kept]:
    """What the newest attempt of a run kept, by name."""
    if not run.attempt:
        return {}
    found = results.of_attempt(run.folder)
    return {
        one.name: Kept(one.name, one.kind, one.path, os.path.getsize(one.path), one.json_path)
        for one in found
    }


def text_of(found: Kept, run: model.Run) -> str:
    """What `print` shows of a trusted pickle in the run's own interpreter, which has its modules.

    Raises:
        StoreError: it can't be loaded there.
        EnvironmentFault: that interpreter is not there.
    """
    import subprocess

    _refuse_strangers(found.path)
    guest = Path(run.folder).parents[2] / paths.GUEST
    python, folder = run.arm.python, run.arm.cwd
    try:
        done = subprocess.run(
            [python, "-c", _SHOW, str(guest), found.path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            errors="replace",
            cwd=folder if os.path.isdir(folder) else None,
            check=False,
        )
    except OSError as error:
        message = f"{python} can't be started: {error.strerror}; the pickle is {found.path}"
        raise EnvironmentFault(message) from error
    if done.returncode:
        raise StoreError(done.stderr.strip() or f"{found.path} can't be loaded by {python}")
    return done.stdout


def _refuse_strangers(path: str) -> None:
    """Refuse a file that somebody else wrote or could have written."""
    status = os.lstat(path)
    others = stat.S_IWGRP | stat.S_IWOTH
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & others:
        message = f"{path} is not your own file alone, and so is not loaded"
        raise StoreError(message)
