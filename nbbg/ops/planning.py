"""Which runs a launch adds, by what the project has already: its plan, as the store is now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.classes import dataclass, replace
from nbbg.errors import StoreError, UsageError
from nbbg.index import Index
from nbbg.ops import asking, deciding, layout, supervision
from nbbg.ops.settling import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg.ops.arms import Wanted
    from nbbg.ops.asked import Target
    from nbbg.ops.launch import Request
    from nbbg.ops.project import Project


@dataclass(frozen=True)
class Plan:
    """What a request comes to."""

    arms: Mapping[str, model.Arm]  # by name, in the order in which they were asked for
    new: Sequence[model.Planned]  # by number first, so that early results cover every arm
    covered: list[model.Run]  # what is there already of that which is asked for
    mixtures: list[str]  # sentences about arms whose notebook has changed
    until: model.Until | None = None
    verdict: str = ""  # of the batch that was asked for in the same words, and is over


@dataclass(frozen=True)
class _OfArm:
    """What a request comes to for one arm."""

    numbers: Sequence[int]
    covered: Sequence[model.Run]
    others: Sequence[model.Run]  # runs of other code that count


def make(where: Project, request: Request, wanted: Sequence[Wanted], first: int) -> Plan:
    """The plan, whose first run has that id.

    Raises:
        StoreError: a batch can't be read, whose runs would be started a second time.
        UsageError: it would mix two versions, or two of its runs would write the same file.
    """
    if not where.store.exists():
        return _of(where, request, wanted, first, None)
    with Index(where.store) as index:
        asking.refresh(index)
        for why in index.unreadable.values():
            raise StoreError(why)
        return _of(where, request, wanted, first, index)


def _of(
    where: Project, request: Request, wanted: Sequence[Wanted], first: int, index: Index | None
) -> Plan:
    several = request.target.count > 1
    earlier = [arm for _, arm in index.arms()] if index else []
    names = Names(str(where.root), earlier, request.name or "", several=several)
    arms: dict[str, model.Arm] = {}
    covered: list[model.Run] = []
    mixtures: list[str] = []
    queue: list[tuple[int, str]] = []
    known = {arm.name for arm in earlier}
    for want in wanted:
        arm = names.settle(want)
        arms[arm.name] = arm
    target = request.target
    if request.until and index:
        if same := deciding.same(index, request.until, arms):
            covered, verdict = deciding.covered(index, same)
            return Plan(arms, [], covered, [], verdict=verdict)
        target = replace(target, first=deciding.first_number(index, arms))
    for arm in arms.values():
        there = index.runs("arm = ?", (arm.name,)) if index and arm.name in known else ()
        found = _of_arm(target, arm, there)
        if found.others and not request.mix:
            mixtures.append(_mixture(request, arm, found.others))
        covered += found.covered
        queue += [(number, arm.name) for number in found.numbers]
    queue.sort(key=lambda pair: pair[0])  # stable: arms stay in order
    new = [
        model.Planned(first + offset, name, number, arms[name].seed + number)
        for offset, (number, name) in enumerate(queue)
    ]
    _refuse_clashes(arms, new, {want.path for want in wanted})
    if index:
        for batch in {run.batch for run in covered if not _succeeded(run)}:
            supervision.refuse_exit_file(index.batch(batch).exit_file)
    until = deciding.fix(request.until, arms, new[0].number) if request.until else None
    return Plan(arms, new, covered, mixtures, until)


def _of_arm(target: Target, arm: model.Arm, runs: Iterable[model.Run]) -> _OfArm:
    there = {run.number: run for run in runs}
    numbers = _numbers(target, there)
    old = {n: run for n in numbers if (run := there.get(n)) and not _anew(run, arm)}
    new = [number for number in numbers if number not in old]
    return _OfArm(new, list(old.values()), _of_other_code(arm, there))


def _numbers(target: Target, there: Mapping[int, model.Run]) -> range:
    start = target.first or (max(there, default=0) + 1 if target.more else 1)
    return range(start, start + target.count)


def _anew(run: model.Run, arm: model.Arm) -> bool:
    """Whether a number is run again by a new run instead of a further attempt of the old one.

    By new code, or since the old one's files were cleaned away.
    """
    gone = run.arm.source != arm.source or run.cleaned_at is not None
    return gone and run.ended and not _succeeded(run)


def _of_other_code(arm: model.Arm, there: Mapping[int, model.Run]) -> list[model.Run]:
    """The runs of other code that count in the arm: succeeded, or still to come to their end."""
    others = [run for run in there.values() if run.arm.source != arm.source]
    return [run for run in others if not run.ended or _succeeded(run)]


def _mixture(request: Request, arm: model.Arm, others: Sequence[model.Run]) -> str:
    """The sentence about an arm whose notebook has changed.

    Raises:
        UsageError: a target of such an arm was asked for, and not to mix.
    """
    done = sum(_succeeded(run) for run in others)
    changed = (
        f"{arm.notebook} has changed since {len(others)} of the runs of {arm.name}"
        f" ({done} succeeded)"
    )
    if not request.target.more:
        message = (
            f"{changed}; more of them would mix two versions\n"
            "--name NEW starts a new arm, --mix goes on with this one"
        )
        raise UsageError(message)
    return f"{changed}: the arm now mixes two versions; --name NEW starts a new one"


def _refuse_clashes(
    arms: Mapping[str, model.Arm], new: Sequence[model.Planned], notebooks: Iterable[str]
) -> None:
    """Two runs that would write the same file, or one that would write a notebook of the launch."""
    sources = {(path, f"the notebook {Path(path).name}") for path in notebooks}
    written = [
        (arms[run.arm].output_of(run.number, run.id), f"run {run.number} of {run.arm}")
        for run in new
        if not arms[run.arm].log_only
    ]
    if found := layout.clash([*sources, *written]):
        path, one, other = found
        if one.startswith("the notebook"):
            raise UsageError(f"{other} would be written over {one}\nname another --output-dir")
        raise UsageError(
            f"{one} and {other} would both be written to {path}\n"
            "put what tells them apart into --output, --prepend or the labels: {arm}, {number}"
        )
    for folder in dict.fromkeys(os.path.dirname(path) for path, _ in written):
        _refuse_unwritable(folder)


def _refuse_unwritable(folder: str) -> None:
    """A folder that can't be made, or written to, as far as can be told without trying."""
    there = folder
    while there and not os.path.lexists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        raise UsageError(f"outputs can't go to {folder}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"outputs can't go to {folder}: {there} is not yours to write")


def _succeeded(run: model.Run) -> bool:
    return run.state.word == model.Succeeded.word
