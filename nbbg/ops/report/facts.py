"""What was run: of each batch command, code, machine and versions; of each arm its notebook."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbbg import paths
from nbbg.ops import differing
from nbbg.ops.report.content import Facts, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg import model
    from nbbg.index import Index

BATCHES = 20
ARMS = 100
_HASH = 12  # characters of one
_DIRTY = "; changed since, and not committed"


def of_batches(index: Index, runs: Sequence[model.Run]) -> list[Facts]:
    """The newest batches that the runs belong to, in order."""
    by_batch: dict[int, list[model.Run]] = {}
    for run in runs:
        by_batch.setdefault(run.batch, []).append(run)
    return [_batch(index, number, by_batch[number]) for number in sorted(by_batch)[-BATCHES:]]


def of_arms(runs: Iterable[model.Run]) -> Table:
    """A row an arm: what was executed, with which parameters and seeds."""
    by_arm: dict[str, list[model.Run]] = {}
    for run in runs:
        by_arm.setdefault(run.arm.name, []).append(run)
    rows = [_arm(name, mine) for name, mine in [*by_arm.items()][:ARMS]]
    more = len(by_arm) - len(rows)
    return Table(
        ("arm", "notebook", "code", "parameters", "seeds", "engine", "interpreter"),
        rows,
        about=f"{more} arms more are not shown" if more else "",
    )


def packages_that_differ(index: Index, runs: Iterable[model.Run]) -> list[str]:
    """A sentence where the batches were run with several versions of packages."""
    one_of_each = {(run.batch, run.arm.python): run for run in runs}
    versions: dict[tuple[str, str], set[str]] = {}
    for run in one_of_each.values():
        for name, version in _side(index, run).packages().items():
            versions.setdefault((run.arm.python, name), set()).add(version)
    names = sorted({name for (_, name), found in versions.items() if len(found) > 1})
    if not names:
        return []
    some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
    batches = ", ".join(sorted({f"b{batch}" for batch, _ in one_of_each}))
    return [f"not the same packages in all of {batches}: several versions of {some}"]


def clock(when: float | None) -> str:
    """A time that means the same to every reader."""
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M UTC}" if when else ""


def _batch(index: Index, number: int, runs: Sequence[model.Run]) -> Facts:
    batch = index.batch(number)
    folder, facts = index.store.batch(number), batch.facts
    commit = facts.get("commit", "")
    dirty = _DIRTY if commit and (folder / paths.DIRTY).exists() else ""
    states = Counter(run.state.word for run in runs)
    tree = facts.get("tree")
    pairs = [
        ("command", _typed(batch.command)),
        ("note", batch.note),
        ("launched", clock(batch.created_at)),
        ("ran", _span(runs)),
        ("runs", ", ".join(f"{count} {word}" for word, count in states.items())),
        ("code", f"commit {commit}{dirty}" if commit else "in no commit"),
        ("frozen", f"{tree['files']} files of the project" if tree else ""),
        ("machine", _machines(batch, runs)),
        ("nbbg", f"{facts.get('nbbg', '?')} on Python {facts.get('python_version', '?')}"),
        ("executor", f"{batch.executor}, {batch.at_once()} at a time"),
    ]
    folded = [
        (f"{len(found)} packages of {python}", ", ".join(f"{n} {v}" for n, v in found.items()))
        for python, found in _packages(index, runs).items()
    ]
    return Facts(f"batch {batch.name}", [pair for pair in pairs if pair[1]], folded)


def _typed(command: Sequence[str]) -> str:
    """The command line as it was typed, wherever nbbg is installed."""
    program, *rest = command or ("",)
    name = os.path.basename(program)
    return shlex.join(["nbbg" if name == "__main__.py" else name, *rest])


def _span(runs: Sequence[model.Run]) -> str:
    started = [run.started_at for run in runs if run.started_at]
    ended = [run.ended_at for run in runs if run.ended_at]
    if not started:
        return ""
    until = f" to {clock(max(ended))}" if ended and all(run.ended for run in runs) else ", goes on"
    return f"{clock(min(started))}{until}"


def _machines(batch: model.Batch, runs: Sequence[model.Run]) -> str:
    hosts = dict.fromkeys(run.host or batch.host for run in runs)
    gpus = dict.fromkeys(run.gpu for run in runs if run.gpu)
    return ", ".join(hosts) + (f"; GPU {', '.join(gpus)}" if gpus else "")


def _packages(index: Index, runs: Iterable[model.Run]) -> Mapping[str, Mapping[str, str]]:
    one_of_each = {run.arm.python: run for run in runs if run.arm.python}
    found = {python: _side(index, run).packages() for python, run in one_of_each.items()}
    return {python: packages for python, packages in found.items() if packages}


def _side(index: Index, run: model.Run) -> differing.Side:
    return differing.Side(run, index.batch(run.batch), index.store.batch(run.batch))


def _arm(name: str, runs: Sequence[model.Run]) -> list[str]:
    arm = runs[-1].arm
    sources = dict.fromkeys(run.arm.source[:_HASH] for run in runs)
    seeds = sorted({run.seed for run in runs})
    return [
        name,
        arm.notebook,
        " and ".join(sources),
        json.dumps(dict(arm.params), ensure_ascii=False) if arm.params else "",
        _seeds(seeds),
        arm.engine,
        arm.python or arm.kernel,
    ]


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return str(seeds[0])
    some = "" if len(seeds) == seeds[-1] - seeds[0] + 1 else f", {len(seeds)} of them"
    return f"{seeds[0]} to {seeds[-1]}{some}"
