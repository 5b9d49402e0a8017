"""The kept results of runs, as `nbbg show` and `nbbg results` tell them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from nbbg import files
from nbbg.cli import output
from nbbg.errors import UsageError
from nbbg.ops import keeping, reports, selection

if TYPE_CHECKING:
    import argparse

    from nbbg import model
    from nbbg.index import Index
    from nbbg.ops.keeping import Kept

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def report(run: model.Run) -> dict[str, Any]:
    """All about a run as JSON, what it kept too."""
    nothing = run.scalars is not None and not run.scalars and not run.others
    found = {} if nothing else keeping.of_run(run)  # which looks into its folder
    results = {name: one.to_json() for name, one in found.items()}
    return {**reports.of_run(run).to_json(), "results": results}


def line(run: model.Run) -> str:
    """What a run kept, with kind and size, and where it lies; or nothing."""
    found = list(keeping.of_run(run).values())
    if not found:
        return ""
    return f"{', '.join(map(_said, found))}: in {os.path.dirname(found[0].path)}"


def show(index: Index, arguments: argparse.Namespace) -> int:
    """Show one kept result of one run.

    Raises:
        UsageError: there is none of that name, or it is a pickle that is not trusted.
        StoreError: it can't be loaded.
    """
    run = selection.one(index, arguments.ids[0])
    found = keeping.of_run(run)
    kept = found.get(arguments.result)
    if len(arguments.ids) > 1 or kept is None:
        raise UsageError(_nothing(run, found, arguments.result))
    if kept.kind == "pickle" and arguments.trust:
        sys.stdout.write(keeping.text_of(kept, run))
    elif kept.is_readable:
        output.document(files.strict(kept.value))
    else:
        again = f"if you trust who wrote it: nbbg show {run.id} --result {kept.name} --trust"
        raise UsageError(kept.problem + (f"\n{again}" if kept.kind == "pickle" else ""))
    return 0


def _nothing(run: model.Run, found: dict[str, Kept], name: str) -> str:
    from nbbg.ops import cleaning

    if why := cleaning.gone(run):
        return why
    names = ", ".join(found) or "no results"
    what = f"run {run.id} has not kept {name}; it kept {names}"
    return f"{what}\nto keep it: nbbg run {run.arm.notebook} --results {name}"


def _said(one: Kept) -> str:
    if one.kind == "left out":
        return one.problem.removeprefix("the result ")
    return f"{one.name} ({one.kind}, {_size(one.size)})"


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < _STEP or unit == _UNITS[-1]:
            break
        count /= _STEP
    return f"{count:.3g} {unit}"
