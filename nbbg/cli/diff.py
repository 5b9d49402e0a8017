"""`nbbg diff`: what differs between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg import screen
from nbbg.cli import output, reading, table
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import differing, selection

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbbg import model
    from nbbg.ops.differing import Differences, Pairs, Side

SHOWN = 40  # lines of a part, without --full
WIDTH = 50  # of a value
_COLOURS = {"+": "32", "-": "31", "@": "36"}


def command(arguments: argparse.Namespace) -> int:
    """Show what differs in what two runs were given, and in what came out."""
    where = reading.here()
    with Index(where.store) as index:
        one, other = (_one(index, name) for name in arguments.ids)
        sides = tuple((run, index.batch(run.batch)) for run in (one, other))
        found = differing.differ(where.store, sides)
    if arguments.json:
        output.document(found.to_json())
    else:
        _show(found, full=arguments.full)
    return 0


def _one(index: Index, name: str) -> model.Run:
    runs = selection.select(index, [name])
    if len(runs) > 1:
        some = " ".join(str(run.id) for run in runs[:8])
        message = f"{name} means {len(runs)} runs\nname one of them: {some}"
        raise UsageError(message)
    return runs[0]


def _show(found: Differences, *, full: bool) -> None:
    first, second = found.sides
    _lines([_title("---", first), _title("+++", second)], full=True)
    if found.same:
        print("the same code, parameters, packages and environment were given to both")
    _part("code", found.code, full=full)
    for source in found.sources:
        _part(f"{source.path}: {source.how}", source.lines, full=full, always=True)
    _table("given", found.given)
    commits = found.given.get("commit")
    if commits and all(commits):
        print(f"  git diff {commits[0][:12]} {commits[1][:12]}")
    _dirty(found, full=full)
    _table("parameters", found.params)
    _table("packages", found.packages)
    _table("environment", found.environment)
    _table("came out", {**found.outcome, **found.metrics})


def _title(sign: str, side: Side) -> str:
    run = side.run
    return f"{sign} run {run.id}  {run.arm.name} {run.number} ({side.batch.name})"


def _dirty(found: Differences, *, full: bool) -> None:
    """What was not committed: the names of the files, or all of it."""
    if not found.dirty:
        return
    print(f"\nnot committed, and not the same: {', '.join(found.dirty)}")
    if not full:
        print("  see it: --full")
        return
    for side in found.sides:
        parts = [part for name, part in side.dirty().items() if name in found.dirty]
        cut = " (cut: it was too large)" if differing.is_cut(side) else ""
        print(f"\nrun {side.run.id} differed from its commit by{cut}")
        _lines(b"".join(parts).decode(errors="replace").splitlines(), full=True)


def _part(name: str, lines: Sequence[str], *, full: bool, always: bool = False) -> None:
    if lines or always:
        print(f"\n{name}")
        _lines(lines, full=full)


def _lines(lines: Sequence[str], *, full: bool) -> None:
    shown = lines if full else lines[:SHOWN]
    for line in map(screen.without_escapes, shown):
        colour = _COLOURS.get(line[:1])
        print(f"\x1b[{colour}m{line}\x1b[0m" if colour and table.wants_colour() else line)
    if len(shown) < len(lines):
        print(f"and {len(lines) - len(shown)} lines more: --full")


def _table(name: str, pairs: Pairs) -> None:
    if not pairs:
        return
    print(f"\n{name}")
    rows = [
        [table.one_line(cell) for cell in (key, *map(_text, pair))] for key, pair in pairs.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for key, one, other in rows:
        print(f"  {key.ljust(widths[0])}  {one.ljust(widths[1])}  {other}")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return table.number(value) if isinstance(value, float) else table.one_line(str(value), WIDTH)
