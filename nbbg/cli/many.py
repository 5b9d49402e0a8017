"""What the commands for notebooks and scripts share: which files, a bar, a summary, JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.cli import output
from nbbg.errors import UsageError
from nbbg.notebook import userfiles
from nbbg.notebook.found import Selection

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from nbbg.ops.pairs import Outcome


def files(arguments: argparse.Namespace) -> list[Path]:
    """The files that are meant; without a name, all below the current folder.

    Raises:
        UsageError: what is named holds no notebook.
    """
    recursive = arguments.recursive or not arguments.files
    selection = Selection(recursive, arguments.include, arguments.exclude)
    return selection.files([Path(name) for name in arguments.files] or [Path()])


def wanted(found: Sequence[Path], arguments: argparse.Namespace) -> None:
    """Refuse to do nothing where something was named.

    Raises:
        UsageError: there is no file.
    """
    if not found:
        names = " ".join(arguments.files) or "this folder"
        more = "" if arguments.recursive else "; its folders too: --recursive"
        raise UsageError(f"no notebook in {names}{more}")


def tell(
    outcomes: Iterable[Outcome], total: int, arguments: argparse.Namespace, done: str
) -> list[Outcome]:
    """Say what becomes of each file, under a bar where there is a terminal; then the sum.

    Args:
        outcomes: as they come.
        total: how many there will be at most.
        arguments: `dry_run` and `json`.
        done: the word for what was written, such as `converted`; empty: nothing is to be, and
            only what is not in order is said.
    """
    from tqdm import tqdm

    hide = total == 1 or not sys.stderr.isatty()
    seen = []
    with tqdm(total=total, unit="file", leave=False, disable=hide) as bar:
        for outcome in outcomes:
            seen.append(outcome)
            if not arguments.json:
                for line, file in _lines(outcome) if done or outcome.refused else ():
                    bar.write(line, file=file)
            bar.update()
    if arguments.json:
        output.document(_json(seen, done))
    elif total > 1 or not done:
        output.say(_sum(seen, f"would be {done}" if arguments.dry_run else done))
    return seen


def refused(seen: Sequence[Outcome]) -> bool:
    """Whether any was refused."""
    return any(outcome.refused for outcome in seen)


def _lines(outcome: Outcome) -> list[tuple[str, Any]]:
    if outcome.refused:
        return [(f"nbbg: {outcome.refused}", sys.stderr)]
    report = outcome.report
    if report is None:
        return []
    return [(str(report), sys.stdout), *((f"  {note}", sys.stdout) for note in report.notes)]


def _sum(seen: Sequence[Outcome], word: str) -> str:
    changed, unchanged, not_done = _groups(seen)
    if not word:
        return f"{len(unchanged)} in order, {len(not_done)} not"
    return f"{len(changed)} {word}, {len(unchanged)} unchanged, {len(not_done)} refused"


def _groups(seen: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome], list[Outcome]]:
    changed = [one for one in seen if one.report and one.report.changed]
    not_done = [one for one in seen if one.refused]
    as_before = [one for one in seen if not one.refused and not (one.report and one.report.changed)]
    return changed, as_before, not_done


def _json(seen: Sequence[Outcome], done: str) -> dict[str, Any]:
    changed, unchanged, not_done = _groups(seen)
    return {
        **({done: [_object(outcome) for outcome in changed]} if done else {}),
        "unchanged": [_object(outcome) for outcome in unchanged],
        "refused": [{"file": userfiles.shown(one.path), "reason": one.refused} for one in not_done],
    }


def _object(outcome: Outcome) -> dict[str, Any]:
    report = outcome.report
    found: dict[str, Any] = {"file": userfiles.shown(outcome.path)}
    if report is None:
        return found
    for name in ("made", "updated", "kept"):
        found[name] = [userfiles.shown(path) for path in getattr(report, name)]
    return {**found, "notes": list(report.notes)}
