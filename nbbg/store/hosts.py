"""The machines that runs of a project are carried to over ssh, `hosts/NAME.json` in its store.

And the store's own name on them, `called`: so that two clients share a host without a word.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.classes import asdict, dataclass
from nbbg.errors import StoreError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_TOKEN_BYTES = 8
# Among the facts of a batch:
SENT = "send"  # among the facts of a batch: what of the project goes along
CARRIED = "carried"  # the names of variables that go along
GPUS = "gpus"  # which each host's runs take turns on, as they were asked for
JOBS = "jobs_given"  # whether somebody said how many go on at once


@dataclass(frozen=True)
class Host:
    """One machine."""

    name: str
    target: str  # as ssh takes it
    path: str  # the project's folder there, from the home folder where it is relative
    python: str = ""  # of the runs there; empty: chosen there for each notebook
    nbbg: str = ""  # an interpreter there that has nbbg; empty: one is set up
    wheels: str = ""  # a folder here with what is installed there; empty: from its index

    @property
    def store(self) -> str:
        """The folder there that all records lie under."""
        return f"{self.path}/{paths.STORE}/{paths.FROM}"


def check_name(name: str) -> str:
    """The name, where it can be one.

    Raises:
        UsageError: it can't.
    """
    if not _NAME.fullmatch(name) or name.endswith((".json", ".given-up")):
        raise UsageError(f"{name!r} can't name a host\na name such as gpu1")
    return name


def add(store: Path, host: Host) -> None:
    """Write a host down.

    Raises:
        UsageError: there is one of that name.
    """
    folder = store / paths.HOSTS
    files.make_folder(folder)
    with files.Folder(folder) as opened:
        try:
            opened.write_once(f"{host.name}.json", files.to_json(asdict(host)))
        except FileExistsError:
            instead = f"nbbg host remove {host.name}, or another name"
            raise UsageError(f"there is a host {host.name} already\n{instead}") from None


def remove(store: Path, name: str) -> None:
    """Forget a host."""
    with files.Folder(store / paths.HOSTS) as opened:
        opened.remove(f"{name}.json")
        opened.remove(f"{name}.{paths.GIVEN_UP}")


def known(store: Path) -> list[Host]:
    """Every host, by name."""
    try:
        names = os.listdir(store / paths.HOSTS)
    except FileNotFoundError:
        return []
    stems = (name.removesuffix(".json") for name in sorted(names) if name.endswith(".json"))
    return [read(store, stem) for stem in stems if _NAME.fullmatch(stem) and not _is_mark(stem)]


def read(store: Path, name: str) -> Host:
    """One host.

    Raises:
        UsageError: there is none of that name.
        StoreError: its record can't be read.
    """
    check_name(name)
    try:
        with files.Folder(store / paths.HOSTS) as opened:
            record = opened.read_json(f"{name}.json")
    except FileNotFoundError:
        record = None
    except (OSError, ValueError) as error:
        raise StoreError(f"{store / paths.HOSTS}/{error}") from error
    if record is None:
        message = f"there is no host {name}\nadd it: nbbg host add {name} user@machine:folder"
        raise UsageError(message)
    return _from_json(store, name, record)


def _from_json(store: Path, name: str, record: dict[str, Any]) -> Host:
    known_fields = {field: str(record.get(field, "")) for field in Host.__dataclass_fields__}
    if not known_fields["target"] or not known_fields["path"]:
        raise StoreError(f"{store / paths.HOSTS / name}.json can't be read: it names no place")
    return Host(**{**known_fields, "name": name})


def give_up(store: Path, name: str, by: str) -> None:
    """A person says that a host is gone for good; a second time changes nothing."""
    with files.Folder(store / paths.HOSTS) as opened, contextlib.suppress(FileExistsError):
        record = files.to_json({"by": by, "at": time.time()})
        opened.write_once(f"{name}.{paths.GIVEN_UP}", record)


def given_up(store: Path, name: str) -> tuple[str, float]:
    """Who gave a host up, and when; empty and 0 where nobody did."""
    try:
        with files.Folder(store / paths.HOSTS) as opened:
            record = opened.read_json(f"{name}.{paths.GIVEN_UP}")
    except FileNotFoundError:
        return "", 0.0
    except ValueError:
        return "somebody", time.time()
    return ("", 0.0) if record is None else (str(record["by"]), float(record["at"]))


def token(store: Path) -> str:
    """What the store is called on other machines; made up when it is first asked for."""
    with files.Folder(store) as folder:
        for _ in range(2):
            if found := folder.read(paths.CALLED):
                return found.decode().strip()
            take_token(folder, os.urandom(_TOKEN_BYTES).hex())
    raise StoreError(f"{store / paths.CALLED} is empty\nremove it")


def take_token(folder: files.Folder, name: str) -> None:
    """Call an open store so, unless it has a name."""
    with contextlib.suppress(FileExistsError):
        folder.write_once(paths.CALLED, name.encode())


def _is_mark(stem: str) -> bool:
    return stem.endswith(paths.GIVEN_UP.removesuffix(".json"))
