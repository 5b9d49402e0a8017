"""`nbbg run`: from what was asked to a batch on disk and a supervisor at work.

`launch` names the steps. Everything is checked before anything is created.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import executors, model, paths, process, secrets
from nbbg.engines import commands
from nbbg.errors import StoreError, UsageError
from nbbg.index import Index
from nbbg.ops import arms, cards, freezing, project, provenance, steer, supervision
from nbbg.ops.asked import Target
from nbbg.ops.giving import STRICT, Freedom
from nbbg.runner import environment
from nbbg.store import batches, place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbg.ops.arms import Wanted
    from nbbg.ops.project import Project

ONE_MORE = Target()


@dataclass(frozen=True)
class Request:
    """What one `nbbg run` asks for."""

    notebooks: Sequence[str]
    target: Target = ONE_MORE
    params: Sequence[Mapping[str, Any]] = ({},)  # one arm each
    seed: int = 0
    name: str | None = None
    note: str = ""
    mix: bool = False
    freedom: Freedom = STRICT
    results: Sequence[str] = ()
    command: Sequence[str] = field(default_factory=lambda: tuple(sys.argv))


@dataclass(frozen=True)
class Launched:
    """What came of it: a new batch, or runs of earlier ones set going again, or neither."""

    batch: model.Batch | None
    again: list[model.Run]
    working: list[model.Batch]  # earlier batches with runs of these arms that are not over
    covered: list[model.Run]  # every run that the request is about
    succeeded: int  # how many of them had succeeded before
    unknown: list[model.Run]
    notes: tuple[str, ...] = ()  # sentences about the notebooks

    @property
    def foreground(self) -> model.Batch | None:
        """The new batch, where this very process has to carry it out: `supervision.ensure`."""
        batch = self.batch
        return batch if batch and not executors.get(batch.executor).detached else None

    def runs(self) -> list[int]:
        """The ids of all runs that the request is about, new ones too."""
        new = range(self.batch.first, self.batch.last + 1) if self.batch else ()
        return [*(run.id for run in self.covered), *new]


@dataclass(frozen=True)
class _Plan:
    """What a request comes to, as the store is now."""

    arms: list[model.Arm]
    new: list[tuple[model.Arm, int]]  # arm, number
    covered: list[model.Run]
    mixtures: list[str]  # sentences about arms whose notebook has changed


def launch(where: Project, request: Request) -> Launched:
    """Read and check, publish what is to be added, set going what was begun, start supervisors.

    Raises:
        NbbgError: what was asked can't be done; nothing was created then.
    """
    wanted = _check(where, request)
    chosen = cards.choose(where.settings, supervision.now(where))
    tree = freezing.asked(where)
    place.make(where.store)
    plan: list[_Plan] = []

    def draft(number: int, first: int) -> batches.Draft | None:
        plan[:] = [_plan(where, request, wanted)]
        drafted = _draft(where, request, wanted, plan[0], chosen, (number, first))
        return tree.join(drafted) if drafted and tree else drafted

    batch = batches.publish(where.store, draft)
    project.remember(where)
    if batch and executors.get(batch.executor).detached:
        supervision.ensure(where, batch)
    launched = _set_going(where, batch, plan[0].covered)
    notes = [*(note for want in wanted for note in want.notes), *plan[0].mixtures, *chosen.notes]
    notes += [str(tree)] if tree and batch else []
    return replace(launched, notes=tuple(dict.fromkeys(notes)))


def _check(where: Project, request: Request) -> list[Wanted]:
    settings = where.settings
    executors.get(settings.executor).check()
    if settings.engine and settings.engine not in commands.NAMES:
        commands.argv(settings.engine, "", Path(), Path())
    steer.refuse_exit_file(settings.exit_file)
    wanted = arms.wanted(
        where,
        request.notebooks,
        request.params,
        seed=request.seed,
        freedom=request.freedom,
        results=request.results,
    )
    if request.name is not None:
        _check_name(request.name, len(wanted))
    if settings.executor == "inline":
        _check_inline(wanted)
    if settings.engine == "plain" and (request.results or settings.allow_errors):
        option = "--results" if request.results else "--allow-errors"
        message = f"{option} is not for the plain engine, which keeps a log only\n--engine ipython"
        raise UsageError(message)
    return wanted


def _check_name(name: str, arms: int) -> None:
    if arms > 1:
        message = f"--name names one arm, and this launch has {arms}"
        raise UsageError(message)
    parts = name.split("/")
    if not name.isprintable() or name.startswith("arm:") or {"", ".", ".."} & set(parts):
        message = f"--name {name!r}: a name such as base or base/wide"
        raise UsageError(message)


def _check_inline(wanted: Sequence[Wanted]) -> None:
    for want in wanted:
        if want.arm.engine != "ipython" or want.arm.python != sys.executable:
            message = (
                "--executor inline runs in nbbg's own process: with --engine ipython, in"
                f" {sys.executable}\nleave out --python and --engine"
            )
            raise UsageError(message)


def _plan(where: Project, request: Request, wanted: Sequence[Wanted]) -> _Plan:
    settled, new = [], []
    covered: list[model.Run] = []
    mixtures: list[str] = []
    with Index(where.store) as index:
        for why in index.unreadable.values():  # its runs would be started a second time
            raise StoreError(why)
        known = [arm for _, arm in index.arms()]
        for want in wanted:
            arm = arms.settle(where, want, known, request.name)
            known.append(arm)
            settled.append(arm)
            there = {run.number: run for run in index.runs("arm = ?", (arm.name,))}
            numbers = _numbers(request.target, there)
            if not request.mix and (others := _of_other_code(arm, there)):
                mixtures.append(_mixture(request, arm, others))
            old = {n: run for n in numbers if (run := there.get(n)) and not _anew(run, arm)}
            covered += old.values()
            new += [(arm, number) for number in numbers if number not in old]
        for number in {run.batch for run in covered if run.state.word != model.Succeeded.word}:
            steer.refuse_exit_file(index.batch(number).exit_file)
    order = {arm.name: position for position, arm in enumerate(settled)}
    new.sort(key=lambda pair: (pair[1], order[pair[0].name]))
    return _Plan(settled, new, covered, mixtures)


def _numbers(target: Target, there: Mapping[int, model.Run]) -> range:
    start = max(there, default=0) + 1 if target.more else 1
    return range(start, start + target.count)


def _anew(run: model.Run, arm: model.Arm) -> bool:
    """Whether a number is run again by the new code instead of a further attempt of the old."""
    return run.arm.source != arm.source and run.ended and run.state.word != model.Succeeded.word


def _of_other_code(arm: model.Arm, there: Mapping[int, model.Run]) -> list[model.Run]:
    """The runs of other code that count in the arm: succeeded, or still to come to their end."""
    others = [run for run in there.values() if run.arm.source != arm.source]
    return [run for run in others if not run.ended or run.state.word == model.Succeeded.word]


def _mixture(request: Request, arm: model.Arm, others: Sequence[model.Run]) -> str:
    """The sentence about an arm whose notebook has changed.

    Raises:
        UsageError: a target of such an arm was asked for, and not to mix.
    """
    done = sum(run.state.word == model.Succeeded.word for run in others)
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


def _draft(
    where: Project,
    request: Request,
    wanted: Sequence[Wanted],
    plan: _Plan,
    chosen: cards.Cards,
    ids: tuple[int, int],
) -> batches.Draft | None:
    if not plan.new:
        return None
    number, first = ids
    settings = where.settings
    runs = [
        model.Planned(first + offset, arm.name, count, arm.seed + count)
        for offset, (arm, count) in enumerate(plan.new)
    ]
    batch = model.Batch(
        id=number,
        first=first,
        last=first + len(runs) - 1,
        jobs=cards.jobs(settings, chosen.gpus),
        machine_jobs=settings.machine_jobs,
        gpus=chosen.gpus,
        per_gpu=settings.per_gpu,
        gpu_free=settings.gpu_free,
        executor=settings.executor,
        created_at=time.time(),
        command=tuple(secrets.mask(word, secrets.values()) for word in request.command),
        note=request.note,
        grace=settings.grace,
        timeout=settings.timeout,
        cell_timeout=settings.cell_timeout,
        watchdog=settings.watchdog,
        quiet_after=settings.quiet_after,
        allow_errors=settings.allow_errors,
        retries=settings.retries,
        retry_delay=settings.retry_delay,
        retry_on=settings.retry_on,
        max_failures=settings.max_failures,
        results=tuple(request.results),
        exit_file=settings.exit_file,
        host=process.host(),
        arms={arm.name: arm for arm in plan.arms},
        root="" if where.store.folder == where.root / paths.STORE else str(where.root),
        facts={
            **provenance.of(where.root),
            "environment": environment.to_record(supervision.now(where)),
            "output_cap": settings.output_cap,
            "secrets": sorted(secrets.names(supervision.now(where))),
        },
    )
    frozen = {name: data for want in wanted for name, data in want.frozen.items()}
    diff = provenance.dirty_diff(where.root)
    content = {
        **commands.guest(),
        **frozen,
        paths.PACKAGES: provenance.all_packages(plan.arms, supervision.now(where)),
        **({paths.DIRTY: diff} if diff else {}),
    }
    return batches.Draft(batch, runs, content)


def _set_going(where: Project, batch: model.Batch | None, covered: Sequence[model.Run]) -> Launched:
    """Queue again what neither succeeded nor lives, and see that earlier batches are supervised."""
    over = [run for run in covered if run.ended and run.state.word != model.Succeeded.word]
    waiting = [run for run in covered if isinstance(run.state, model.Queued)]
    with Index(where.store) as index:
        steer.start_again(where, index, [*over, *waiting], by=steer.whoever())
        numbers = {run.batch for run in covered if run.state.word != model.Succeeded.word}
        found = [index.batch(number) for number in sorted(numbers)]
        working = [replace(each, jobs=steer.course(where, each).jobs) for each in found]
    return Launched(
        batch=batch,
        again=over,
        working=working,
        covered=list(covered),
        succeeded=sum(run.state.word == model.Succeeded.word for run in covered),
        unknown=[run for run in covered if isinstance(run.state, model.Unknown)],
    )
