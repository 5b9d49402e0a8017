"""Which runs `nbbg clean` takes away: those that are over and that a person has described.

All that was said must hold of a run: by name, by age, by state, and not among the newest of its
arm. Nothing goes that lives, waits, can't be told, or would be tried again by itself; what is lost
goes where `lost` was said alone, for `resume` takes it up.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbbg import model, paths
from nbbg.classes import dataclass, field
from nbbg.errors import StoreError, UsageError
from nbbg.index import Index
from nbbg.ops import selection
from nbbg.store import cleaned, sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbbg.ops.project import Project

STATES = (model.Succeeded.word, *sorted(model.UNSUCCESSFUL), *sorted(model.RESUMABLE))
DAY = 86400.0  # seconds
_OVER = f"open = 0 AND word <> '{model.Queued.word}'"


@dataclass(frozen=True)
class Criteria:
    """What must hold of a run that is cleaned."""

    names: Sequence[str] = ()  # runs, batches, arms; none: all
    older_than: float = 0.0  # seconds since its end
    keep: int | None = None  # so many of each arm that ended last stay
    states: Sequence[str] = ()  # words; none: all but `lost`

    def __post_init__(self) -> None:
        if unknown := set(self.states) - set(STATES):
            known = ", ".join(word.replace(" ", "-") for word in STATES)
            raise UsageError(f"nothing can be cleaned that is {', '.join(unknown)}; only: {known}")

    @property
    def says_nothing(self) -> bool:
        """Whether nobody has said which runs."""
        return not (self.names or self.older_than or self.states) and self.keep is None


@dataclass
class Report:
    """What is to go, or has gone."""

    runs: list[model.Run] = field(default_factory=list)
    freed: int = 0  # bytes
    outputs: list[str] = field(default_factory=list)  # executed notebooks
    stayed: list[str] = field(default_factory=list)  # sentences

    @property
    def counts(self) -> dict[str, int]:
        """How many runs there are of each state."""
        found = Counter(run.state.word for run in self.runs)
        return {word: found[word] for word in model.WORDS if found[word]}

    def to_json(self) -> dict[str, Any]:
        """As `--json` shows it."""
        ids = [run.id for run in self.runs]
        found = {"runs": ids, "states": self.counts, "bytes": self.freed}
        return {**found, "outputs": self.outputs, "stayed": self.stayed}


def choose(index: Index, criteria: Criteria, *, cleaned_too: bool = False) -> list[model.Run]:
    """The runs that would go, by id.

    Args:
        index: of the project.
        criteria: what must hold of them.
        cleaned_too: whether also those that were cleaned, of which something may have stayed.

    Raises:
        UsageError: a name means nothing here.
    """
    if criteria.says_nothing:
        return []
    before = time.time() - criteria.older_than
    words = set(criteria.states or STATES) - (set() if criteria.states else {model.Lost.word})
    named = set(selection.numbers(index, criteria.names)) if criteria.names else None
    newest = _newest(index, criteria.keep)
    return [
        run
        for run in _over(index, cleaned_too=cleaned_too)
        if run.state.word in words
        and (named is None or run.id in named)
        and run.id not in newest
        and _ended_at(run) <= before
    ]


def look(
    where: Project, chosen: Iterable[model.Run], *, checkpoints: bool, outputs: bool
) -> Report:
    """What `clean` would do; nothing is changed."""
    report = Report()
    for run in chosen:
        checkpoint = where.store.run(run.batch, run.id) / paths.CHECKPOINT
        output = executed(run) if outputs else ""
        if run.cleaned_at and not output and not (checkpoints and checkpoint.exists()):
            continue
        report.runs.append(run)
        if not run.cleaned_at:
            report.freed += sizes.of(checkpoint.parent) - sizes.of(checkpoint)
        if checkpoints:
            report.freed += sizes.of(checkpoint)
        if output:
            report.outputs.append(output)
            report.freed += sizes.of(output)
    return report


def clean(
    where: Project,
    index: Index,
    chosen: Iterable[model.Run],
    *,
    checkpoints: bool,
    outputs: bool,
    waits: bool = True,
) -> Report:
    """Take away the files of those runs, and finish what a clean that was killed has begun.

    Where another clean is at work, it is waited for, or with `waits=False` it is a StoreError.

    Raises:
        StoreError: the store can't be written.
    """
    report = Report()
    chosen = look(where, chosen, checkpoints=checkpoints, outputs=outputs).runs
    of_batch = ((index.batch(run.batch), run) for run in chosen)
    report.freed = cleaned.make_room(where.store, of_batch)
    with cleaned.alone(where.store, waits=waits):
        report.freed += cleaned.finish_all(where.store)
        for run in chosen:
            output = executed(run) if outputs else ""
            batch = index.batch(run.batch)
            try:
                report.freed += cleaned.clean(where.store, batch, run, checkpoint=checkpoints)
            except OSError as error:
                report.stayed.append(f"run {run.id} stays: {error.strerror or error}")
                continue
            except (StoreError, ValueError, KeyError) as error:
                report.stayed.append(str(error))
                continue
            report.runs.append(run)
            if output:
                report.freed += sizes.of(output)
                report.outputs.append(output)
                with contextlib.suppress(OSError):
                    os.unlink(output)
    return report


def by_rules(where: Project) -> str:
    """Clean as the settings `keep_runs` and `keep_days` say; a sentence, where anything went.

    What hinders it is a sentence too: it is no reason to take a launch for refused.
    """
    keep, days = where.settings.keep_runs, where.settings.keep_days
    criteria = Criteria(older_than=days * DAY, keep=keep or None)
    try:
        with Index(where.store) as index:
            chosen = choose(index, criteria)
            if not chosen:
                return ""
            also = {"checkpoints": False, "outputs": False, "waits": False}
            report = clean(where, index, chosen, **also)
    except (StoreError, OSError) as error:
        return f"no earlier runs were cleaned: {error}"
    rules = [f"keep_runs = {keep}"] * bool(keep) + [f"keep_days = {days:g}"] * bool(days)
    return f"cleaned {len(report.runs)} earlier runs, as the settings say: {', '.join(rules)}"


def gone(run: model.Run) -> str:
    """The sentence for a run whose files were cleaned away; empty for every other."""
    if run.cleaned_at is None:
        return ""
    when = datetime.fromtimestamp(run.cleaned_at).astimezone()
    output = executed(run)
    kept = f"\nits executed notebook: {output}" if output else ""
    return f"run {run.id}: its files were cleaned on {when:%Y-%m-%d}; its record is kept{kept}"


def executed(run: model.Run) -> str:
    """The run's executed notebook, where it is there and is still this run's; else nothing."""
    if run.arm.log_only:
        return ""
    path = run.arm.output_of(run.number, run.id)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(path, "rb") as file:
        about = json.load(file)["metadata"]["nbbg"]
        if (about["run"], about["batch"]) == (run.id, run.batch):
            return path
    return ""


def require_files(run: model.Run) -> None:
    """Refuse a run of which nothing is left but its record.

    Raises:
        UsageError: its files were cleaned away.
    """
    if why := gone(run):
        raise UsageError(why)


def why_none(index: Index, criteria: Criteria) -> str:
    """Why none of the runs that were named goes; empty where none was named."""
    named = selection.select(index, criteria.names) if criteria.names else []
    found = Counter(run.state.word for run in named if run.cleaned_at is None)
    parts = [f"{found[word]} {word}" for word in model.WORDS if found[word]]
    gone_already = len(named) - found.total()
    parts += [f"{gone_already} cleaned already"] * bool(gone_already)
    if model.Lost.word in found and model.Lost.word not in criteria.states:
        parts[-1] += "; what is lost goes with --state lost"
    return f"of what was named none goes: {', '.join(parts)}" if parts else ""


def _over(index: Index, *, cleaned_too: bool = False) -> Iterator[model.Run]:
    """Every run that is over, by id; of those that were cleaned only with `cleaned_too`."""
    lost = [run for run in index.open() if isinstance(run.state, model.Lost) and not run.again]
    found = {run.id: run for run in (*index.each(_OVER), *lost)}
    for number in sorted(found):
        run = found[number]
        if run.attempt and (cleaned_too or run.cleaned_at is None):
            yield run


def _newest(index: Index, keep: int | None) -> set[int]:
    """Of each arm the runs that stay because they ended last."""
    if keep is None:
        return set()
    of_arm: dict[str, list[model.Run]] = {}
    for run in _over(index):
        of_arm.setdefault(run.arm.name, []).append(run)
    ordered = (sorted(runs, key=lambda run: (_ended_at(run), run.id)) for runs in of_arm.values())
    return {run.id for runs in ordered for run in runs[max(len(runs) - keep, 0) :]}


def _ended_at(run: model.Run) -> float:
    return run.ended_at or run.started_at or run.queued_at
