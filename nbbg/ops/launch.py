"""`nbbg run`: from what was asked to a batch on disk and a supervisor at work.

`launch` names the steps. Everything is checked before anything is created.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import executors, model, paths, process, secrets
from nbbg.classes import dataclass, field, replace
from nbbg.engines import commands
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import (
    arms,
    cards,
    deciding,
    handing,
    planning,
    project,
    provenance,
    settling,
    supervision,
)
from nbbg.ops.asked import Target
from nbbg.ops.giving import STRICT, Freedom
from nbbg.runner import environment
from nbbg.settings import values
from nbbg.store import batches, filesystem, kinds, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbg.ops.arms import Wanted
    from nbbg.ops.deciding import Asked
    from nbbg.ops.freezing import Tree
    from nbbg.ops.pieces import Piece
    from nbbg.ops.planning import Plan
    from nbbg.ops.project import Project
    from nbbg.ops.provenance import Git

ONE_MORE = Target()


@dataclass(frozen=True)
class Request:
    """What one `nbbg run` asks for."""

    pieces: Sequence[Piece]
    target: Target = ONE_MORE
    until: Asked | None = None
    seed: int = 0
    name: str | None = None  # of the arm, or a template
    note: str = ""
    mix: bool = False
    freedom: Freedom = STRICT
    results: Sequence[str] = ()
    command: Sequence[str] = field(default_factory=lambda: tuple(sys.argv))


NETWORK = (
    "the records are on a network file system, where locks are not trusted: what that changes:"
    " nbbg doctor"
)


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
    verdict: str = ""  # of the batch that was asked for in the same words, and is over

    @property
    def foreground(self) -> model.Batch | None:
        """The new batch, where this very process has to carry it out: `supervision.ensure`."""
        batch = self.batch
        return batch if batch and not executors.get(batch.executor).detached else None

    def runs(self) -> list[int]:
        """The ids of all runs that the request is about, new ones too."""
        new = range(self.batch.first, self.batch.last + 1) if self.batch else ()
        return [*(run.id for run in self.covered), *new]


def launch(where: Project, request: Request) -> Launched:
    """Read and check, publish what is to be added, set going what was begun, start supervisors.

    Raises:
        NbbgError: what was asked can't be done; nothing was created then.
    """
    with provenance.asking(where.root) as git:
        return _launch(where, request, git)


def _launch(where: Project, request: Request, git: Git | None) -> Launched:
    wanted = check(where, request)
    chosen = cards.choose(where.settings, supervision.now(where))
    tree = _tree(where)
    plan: list[Plan] = []
    if not where.store.exists():
        plan = [planning.make(where, request, wanted, 1)]  # what is refused leaves nothing behind
        place.make(where.store)

    def draft(number: int, first: int) -> batches.Draft | None:
        if not (plan and first == 1):  # else it was planned above, and nobody was faster
            plan[:] = [planning.make(where, request, wanted, first)]
        drafted = _draft(where, request, wanted, plan[0], git, chosen, number)
        return tree.join(drafted) if drafted and tree else drafted

    batch = batches.publish(where.store, draft)
    project.remember(where)
    if batch and executors.get(batch.executor).detached:
        supervision.ensure(where, batch)
    launched = _set_going(where, batch, plan[0].covered)
    notes = [*(note for want in wanted for note in want.notes), *plan[0].mixtures, *chosen.notes]
    notes += _never_warm(where, wanted)
    notes += [str(tree)] if tree and batch else []
    notes += (
        [NETWORK] if batch and batch.id == 1 and filesystem.holds_off(where.store.folder) else []
    )
    if said := _clean(where):
        notes.append(said)
    return replace(launched, notes=tuple(dict.fromkeys(notes)), verdict=plan[0].verdict)


def _tree(where: Project) -> Tree | None:
    """The sources that are to be frozen with the notebooks, where that is set.

    Raises:
        UsageError: they are too much.
    """
    if where.settings.freeze != values.TREE:
        return None
    from nbbg.ops import freezing

    return freezing.choose(where.root, where.store.folder)


def _clean(where: Project) -> str:
    """Clean as the settings say; a sentence, where anything went."""
    if not (where.settings.keep_runs or where.settings.keep_days):
        return ""
    from nbbg.ops import cleaning

    return cleaning.by_rules(where)


@dataclass(frozen=True)
class Preview:
    """What `launch` would do."""

    plan: Plan
    jobs: int  # runs of it at once
    notes: tuple[str, ...]


def preview(where: Project, request: Request) -> Preview:
    """What `launch` would do, and its sentences; nothing is written.

    Raises:
        NbbgError: it would do nothing.
    """
    wanted = check(where, request)
    chosen = cards.choose(where.settings, supervision.now(where))
    _tree(where)  # refuses sources that are too many
    plan = planning.make(where, request, wanted, batches.next_ids(where.store)[1])
    notes = [*(note for want in wanted for note in want.notes), *plan.mixtures, *chosen.notes]
    notes += _never_warm(where, wanted)
    notes += [str(plan.until)] if plan.until else []
    notes += [plan.verdict] if plan.verdict else []
    return Preview(plan, cards.jobs(where.settings, chosen.gpus), tuple(dict.fromkeys(notes)))


def _never_warm(where: Project, wanted: Sequence[Wanted]) -> list[str]:
    """What `--warm on` can't change is said to who typed it; who set it for a project knows."""
    warm = where.settings["warm"]
    if warm.value != model.ON or not warm.source.startswith("--"):
        return []
    executor = where.settings.executor
    if executor != "local":
        return [f"--warm on: the executor {executor} starts each run cold"]
    cold = dict.fromkeys(want.arm.engine for want in wanted if want.arm.engine != "ipython")
    return [f"--warm on: the engine {engine} starts each run cold" for engine in cold]


def check(where: Project, request: Request) -> list[Wanted]:
    """What is wanted, read and checked.

    Raises:
        NbbgError: it can't be run as asked.
    """
    settings = where.settings
    if type(request.seed) is not int or abs(request.seed) >= kinds.BEYOND:
        raise UsageError(f"--seed {request.seed}: a number of at most 18 digits")
    handing.refuse(settings, until=request.until is not None)
    executors.get(settings.executor).check(settings.options, where.store.folder)
    if settings.engine and settings.engine not in commands.NAMES:
        commands.argv(settings.engine, "", Path(), Path())
    supervision.refuse_exit_file(settings.exit_file)
    wanted = arms.wanted(
        where,
        request.pieces,
        seed=request.seed,
        freedom=request.freedom,
        results=request.results,
    )
    if request.name is not None:
        settling.check_template(request.name, len(wanted))
    if settings.executor == "inline":
        _check_inline(wanted)
    if settings.engine == "plain" and (request.results or settings.allow_errors):
        option = "--results" if request.results else "--allow-errors"
        message = f"{option} is not for the plain engine, which keeps a log only\n--engine ipython"
        raise UsageError(message)
    return wanted


def _check_inline(wanted: Sequence[Wanted]) -> None:
    for want in wanted:
        if want.arm.engine != "ipython" or want.arm.python != sys.executable:
            message = (
                "--executor inline runs in nbbg's own process: with --engine ipython, in"
                f" {sys.executable}\nleave out --python and --engine"
            )
            raise UsageError(message)


def _draft(
    where: Project,
    request: Request,
    wanted: Sequence[Wanted],
    plan: Plan,
    git: Git | None,
    chosen: cards.Cards,
    number: int,
) -> batches.Draft | None:
    if not plan.new:
        return None
    batch = _batch(where, request, plan, git, chosen, number)
    each = {(want.arm.frozen, want.arm.script): want for want in wanted}  # not for each set anew
    frozen = {name: data for want in each.values() for name, data in want.frozen.items()}
    diff = provenance.dirty_diff(git)
    content = {
        **commands.guest(),
        **frozen,
        paths.PACKAGES: provenance.all_packages(plan.arms.values(), supervision.now(where)),
        **({paths.DIRTY: diff} if diff else {}),
    }
    return batches.Draft(batch, plan.new, content)


def _batch(
    where: Project,
    request: Request,
    plan: Plan,
    git: Git | None,
    chosen: cards.Cards,
    number: int,
) -> model.Batch:
    """What the records will say of this launch."""
    settings, runs = where.settings, plan.new
    now = supervision.now(where)
    return model.Batch(
        id=number,
        first=runs[0].id,
        last=runs[-1].id,
        jobs=cards.jobs(settings, chosen.gpus),
        machine_jobs=settings.machine_jobs,
        gpus=chosen.gpus,
        per_gpu=settings.per_gpu,
        gpu_free=settings.gpu_free,
        options=settings.options,
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
        log_max=settings.log_max,
        scratch=settings.scratch,
        retries=settings.retries,
        retry_delay=settings.retry_delay,
        retry_on=settings.retry_on,
        max_failures=settings.max_failures,
        warm=settings.warm,
        preload=settings.preload,
        results=tuple(request.results),
        exit_file=settings.exit_file,
        until=plan.until,
        host=process.host(),
        arms=dict(plan.arms),
        root="" if where.store.folder == where.root / paths.STORE else str(where.root),
        facts={
            **provenance.of(git),
            "environment": environment.to_record(now),
            "output_cap": settings.output_cap,
            "secrets": sorted(secrets.names(now)),
            **handing.facts(where),
        },
    )


def _set_going(where: Project, batch: model.Batch | None, covered: Sequence[model.Run]) -> Launched:
    """Queue again what neither succeeded nor lives, and see that earlier batches are supervised."""
    if not covered:
        return Launched(batch, [], [], [], 0, [])
    from nbbg.ops import again, steer

    over = [run for run in covered if run.ended and run.state.word != model.Succeeded.word]
    waiting = [run for run in covered if isinstance(run.state, model.Queued)]
    with Index(where.store) as index:
        by = steer.whoever()
        around = {run.batch for run in covered}
        also = deciding.look_again(where, index, around, by)
        again.start_again(where, index, [*over, *waiting], by=by, also=also)
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
