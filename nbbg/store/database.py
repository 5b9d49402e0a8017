"""The file of the index: SQLite, with a rollback journal and never on a network file system.

Of a store on one it lies in a folder on a disk of this machine. One that is damaged or older than
this nbbg is made anew; where it can't be written, is busy for long, or a newer nbbg made it, there
is one in memory instead.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from nbbg import files, model, paths
from nbbg.errors import EnvironmentFault
from nbbg.store import filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbbg.store.place import Store

VERSION = 5
PATIENCE = 5.0  # seconds that a reader waits for another one
_QUEUED = model.Queued.word
_SCHEMA = f"""
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, read INTEGER
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, batch INTEGER, arm TEXT, number INTEGER, seed INTEGER,
    attempt INTEGER DEFAULT 0, word TEXT DEFAULT '{_QUEUED}', open INTEGER DEFAULT 0, ending TEXT,
    started REAL, ended REAL, closed INTEGER, bytes INTEGER
);
CREATE TABLE tallies (
    batch INTEGER, word TEXT, count INTEGER, bytes INTEGER, PRIMARY KEY (batch, word)
) WITHOUT ROWID;
CREATE INDEX runs_by_batch ON runs (batch, open, word);
CREATE INDEX runs_by_arm ON runs (arm, number);
CREATE INDEX runs_of_arm ON runs (arm);
CREATE INDEX open_runs ON runs (id) WHERE open = 1;
CREATE INDEX queued_runs ON runs (id) WHERE open = 0 AND word = '{_QUEUED}';
CREATE INDEX ended_runs ON runs (id) WHERE open = 0 AND word <> '{_QUEUED}';
CREATE INDEX closed_runs ON runs (closed) WHERE closed NOT NULL;
CREATE INDEX runs_by_end ON runs (batch, ended) WHERE ended NOT NULL;
PRAGMA user_version = {VERSION};
"""
# What is not open is counted by SQLite as it comes and goes: no reader goes through a million runs.
# A conflict has its columns named, without which SQLite before 3.35 (that of RHEL 9) refuses it.
_COUNT = (
    "INSERT INTO tallies VALUES (NEW.batch, NEW.word, 1, coalesce(NEW.bytes, 0))"
    " ON CONFLICT (batch, word) DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes"
)
_UNCOUNT = (
    "UPDATE tallies SET count = count - 1, bytes = bytes - coalesce(OLD.bytes, 0)"
    " WHERE batch = OLD.batch AND word = OLD.word"
)
_TRIGGERS = tuple(
    f"CREATE TRIGGER {name} AFTER {event} ON runs WHEN {row}.open = 0 BEGIN {what}; END"
    for name, event, row, what in (
        ("planned", "INSERT", "NEW", _COUNT),
        ("opened", "UPDATE OF open, word, bytes", "OLD", _UNCOUNT),
        ("closed", "UPDATE OF open, word, bytes", "NEW", _COUNT),
        ("forgotten", "DELETE", "OLD", _UNCOUNT),
    )
)


def open_for(store: Store) -> sqlite3.Connection:
    """The index of a store."""
    if not store.exists():
        return in_memory()
    for _ in range(2):
        try:
            return _connect(path_of(store))
        except (sqlite3.Error, OSError, EnvironmentFault) as error:
            if not is_damage(error):
                break
            remove(store)
    return in_memory()


def path_of(store: Store) -> Path:
    """Where the index of a store lies: in it, or for a network file system on a disk from here.

    Raises:
        OSError: the store can't be read.
        EnvironmentFault: there is no folder on a disk of this machine.
    """
    if not filesystem.holds_off(store.folder):
        return store.folder / paths.INDEX
    from nbbg.store import shared

    # A store that was made anew at the same place is another one: its index must not be the old's.
    made = int(os.stat(store.folder / paths.FORMAT).st_mtime)
    device = os.stat(store.folder).st_dev
    name = shared.short_name(f"{os.path.realpath(store.folder)}\0{device}\0{made}")
    return shared.cache(os.environ, "index") / f"{name}.db"


def _connect(path: Path) -> sqlite3.Connection:
    """The index in a file.

    Raises:
        OSError, sqlite3.OperationalError: it is not for us to write.
        sqlite3.DatabaseError: it is damaged, or older than this nbbg.
    """
    files.touch(path)
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        version = _version(db)
        if version == 0:
            with transaction(db):
                if _version(db) == 0:
                    _make_tables(db)
            version = _version(db)
        if version > VERSION:
            raise sqlite3.OperationalError(version)
        if version < VERSION:
            raise sqlite3.DatabaseError(version)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def is_damage(error: Exception) -> bool:
    """Whether the index is to be made anew; else it is busy, or we may not write it."""
    return type(error) is sqlite3.DatabaseError  # and not one of its subclasses


def remove(store: Store) -> None:
    """Remove the index, for the next reader to make it anew."""
    with contextlib.suppress(OSError, EnvironmentFault):
        path = path_of(store)
        for name in (f"{path}-journal", path):  # a journal left alone would spoil the next index
            with contextlib.suppress(OSError):
                os.unlink(name)


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in (*_SCHEMA.split(";"), *_TRIGGERS):
        db.execute(statement)


def in_memory() -> sqlite3.Connection:
    """An empty index that lives as long as this process."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    _make_tables(db)
    return db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is written meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk ends it by itself
            db.execute("ROLLBACK")
        raise
