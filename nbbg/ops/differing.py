"""`nbbg diff`: what differs between two runs, in what they were given and in what came out."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nbbg import files, paths, secrets
from nbbg.classes import dataclass
from nbbg.notebook import differences
from nbbg.ops import freezing, provenance
from nbbg.runner import environment
from nbbg.store import composed, imported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nbbg import model
    from nbbg.store.place import Store

Pairs = dict[str, tuple[Any, Any]]
_OF_DIFF = re.compile(rb"^diff --git a/(.*?) b/", re.MULTILINE)
# What a terminal, a desktop or a shell gives each session anew.
_SESSION = re.compile(
    r"_|PWD|OLDPWD|SHLVL|WINDOWID|COLUMNS|LINES|(SSH|TMUX|STY|TERM|XDG|DBUS|VTE|GNOME|VSCODE).*"
)
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)
_TEXT = frozenset((".ipynb",))  # compared, and not shown: JSON is no text to read


@dataclass(frozen=True)
class Changed:
    """A source of the project that the two runs do not have alike."""

    path: str
    how: str
    lines: tuple[str, ...] = ()  # a unified diff, where both texts are kept


@dataclass(frozen=True)
class Side:
    """One of the two runs, with what its batch has recorded."""

    run: model.Run
    batch: model.Batch
    folder: Path  # of the batch

    @property
    def tree(self) -> Path | None:
        """The frozen sources, where there are some."""
        return self.folder / paths.TREE_FOLDER if "tree" in self.batch.facts else None

    def given(self) -> dict[str, Any]:
        """What it was launched with, but for what is compared in parts."""
        arm, facts = self.run.arm, self.batch.facts
        return {
            "notebook": arm.notebook,
            "number": self.run.number,
            "seed": self.run.seed,
            "commit": facts.get("commit", ""),
            "interpreter": arm.python or arm.kernel,
            "engine": arm.engine,
            "executor": self.run.executor,
            "host": self.batch.host,
            "folder": arm.cwd,
            "nbbg": facts.get("nbbg", ""),
        }

    def environment(self) -> dict[str, str]:
        """The variables of its launch, without secrets and those of a session."""
        recorded = {**self.batch.facts.get("environment", {}), **self.run.arm.variables}
        hidden = secrets.names({name: value or "" for name, value in recorded.items()})
        kept = environment.of_launch({k: v for k, v in recorded.items() if v is not None})
        return {k: v for k, v in kept.items() if k not in hidden and not _SESSION.fullmatch(k)}

    def packages(self) -> dict[str, str]:
        """The packages of its interpreter at launch."""
        with contextlib.suppress(*_UNREADABLE), files.Folder(self.folder) as folder:
            of_all = folder.read_json(paths.PACKAGES) or {}
            found = of_all.get(self.run.arm.python)  # none of a kernel of another language
            return found if isinstance(found, dict) else {}
        return {}

    def outcome(self) -> dict[str, Any]:
        """How it ended."""
        run = self.run
        seconds = run.ended_at - run.started_at if run.started_at and run.ended_at else None
        state = f"{run.state.word}: {run.state.reason}".rstrip(": ")
        return {"state": state, "seconds": seconds and round(seconds, 3), "attempt": run.attempt}

    def dirty(self) -> dict[str, bytes]:
        """What differed from the commit, by file."""
        data = b""
        with contextlib.suppress(FileNotFoundError):
            data = (self.folder / paths.DIRTY).read_bytes()
        starts = [found.start() for found in _OF_DIFF.finditer(data)]
        parts = [data[a:b] for a, b in pairwise((*starts, len(data)))]
        return {_OF_DIFF.findall(part)[0].decode(errors="replace"): part for part in parts}


@dataclass(frozen=True)
class Differences:
    """What differs between two runs; each pair is the first's value and the second's."""

    sides: tuple[Side, Side]
    code: list[str]  # lines, under a heading a cell
    sources: list[Changed]
    given: Pairs
    params: Pairs
    dirty: list[str]  # files whose difference from the commit is another one
    packages: Pairs
    environment: Pairs
    outcome: Pairs
    metrics: Pairs

    @property
    def same(self) -> bool:
        """Whether they were given the same, but for run number and seed."""
        given = self.given.keys() - {"number", "seed"}
        parts = (self.code, self.sources, self.params, self.dirty, self.packages, self.environment)
        return not given and not any(parts)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON."""
        sources = [{"path": s.path, "how": s.how, "lines": list(s.lines)} for s in self.sources]
        pairs = ("given", "params", "packages", "environment", "outcome", "metrics")
        found: dict[str, Any] = files.strict(
            {
                "runs": [side.run.id for side in self.sides],
                "same": self.same,
                "code": self.code,
                "sources": sources,
                "dirty_diff": self.dirty,
                **{name: getattr(self, name) for name in pairs},
            }
        )
        return found


def differ(store: Store, sides: tuple[tuple[model.Run, model.Batch], ...]) -> Differences:
    """Compare two runs.

    Raises:
        OSError, ValueError: a frozen notebook can't be read.
    """
    one, other = (Side(run, batch, store.batch(batch.id)) for run, batch in sides)
    notebooks = [composed.read_frozen(side.folder, side.run.arm) for side in (one, other)]
    names = (f"run {one.run.id}", f"run {other.run.id}")
    dirty = {name for name, _ in one.dirty().items() ^ other.dirty().items()}
    return Differences(
        sides=(one, other),
        code=differences.lines(notebooks[0], notebooks[1], names),
        sources=list(_sources(one, other)),
        given=_pairs(one.given(), other.given()),
        params=_pairs(one.run.arm.params, other.run.arm.params),
        dirty=sorted(dirty),
        packages=_pairs(one.packages(), other.packages()),
        environment=_pairs(one.environment(), other.environment()),
        outcome=_pairs(one.outcome(), other.outcome()),
        metrics=_pairs(one.run.metrics, other.run.metrics),
    )


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> Pairs:
    names = dict.fromkeys((*one, *other))
    found = {name: (one.get(name), other.get(name)) for name in names}
    return {name: pair for name, pair in found.items() if repr(pair[0]) != repr(pair[1])}


def _sources(one: Side, other: Side) -> Iterator[Changed]:
    """Files of the frozen trees; where not both have one, the modules that both have imported."""
    if one.tree and other.tree:
        yield from _trees(one, other)
        return
    mine, its = imported.of_run(one.run), imported.of_run(other.run)
    for name in sorted(mine.keys() & its.keys()):
        if mine[name] != its[name]:
            yield Changed(name, "another version; its text was not frozen: --freeze tree does")


def _trees(one: Side, other: Side) -> Iterator[Changed]:
    trees = (one.tree, other.tree)
    names = [set(freezing.frozen_files(tree)) if tree else set() for tree in trees]
    known = {one.run.arm.notebook, other.run.arm.notebook}
    for name in sorted((names[0] | names[1]) - known):
        if name not in names[1]:
            yield Changed(name, f"in run {one.run.id} alone")
        elif name not in names[0]:
            yield Changed(name, f"in run {other.run.id} alone")
        else:
            texts = [_content(tree / name) for tree in trees if tree]
            if texts[0] != texts[1]:
                yield _changed(name, texts[0], texts[1])


def _content(path: Path) -> bytes:
    return os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()


def _changed(name: str, first: bytes, second: bytes) -> Changed:
    if os.path.splitext(name)[1] in _TEXT or b"\0" in first + second:
        return Changed(name, "differs")
    one, other = (data.decode(errors="replace").splitlines() for data in (first, second))
    lines = list(difflib.unified_diff(one, other, lineterm="", n=2))[2:]
    added, removed = (sum(line[0] == sign for line in lines) for sign in "+-")
    return Changed(name, f"+{added} -{removed}", tuple(lines))


def is_cut(side: Side) -> bool:
    """Whether the difference from the commit was too large to be kept whole."""
    with contextlib.suppress(FileNotFoundError):
        return (side.folder / paths.DIRTY).read_bytes().endswith(provenance.CUT)
    return False
