"""`nbbg clean`: tells what would go, and with `--yes` removes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg import logs
from nbbg.cli import ids, output
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import cleaning, leftovers, project
from nbbg.settings import values

if TYPE_CHECKING:
    import argparse

    from nbbg.ops.cleaning import Report
    from nbbg.ops.leftovers import Leftovers


def command(arguments: argparse.Namespace) -> int:
    """Choose, then tell or remove."""
    criteria = _criteria(arguments)
    where = project.here()
    if not where.store.exists():
        raise UsageError("nothing was launched here yet: there is nothing to clean")
    also: dict[str, Any] = {"checkpoints": arguments.checkpoints, "outputs": arguments.outputs}
    with Index(where.store) as index:
        chosen = cleaning.choose(index, criteria, cleaned_too=any(also.values()))
        unused = (criteria.older_than or leftovers.MONTH) if arguments.environments else 0.0
        left = leftovers.find(where, index, environments=unused)
        if arguments.yes:
            report = cleaning.clean(where, index, chosen, **also)
            leftovers.remove(left)
        else:
            report = cleaning.look(where, chosen, **also)
        why = "" if report.runs or report.stayed else cleaning.why_none(index, criteria)
    if arguments.json:
        output.document({**report.to_json(), "left": left.to_json(), "removed": arguments.yes})
    else:
        _tell(report, left, done=arguments.yes)
        _advise(criteria, report, left, done=arguments.yes)
        if why:
            output.say(why)
    return 1 if report.stayed else 0


def _criteria(arguments: argparse.Namespace) -> cleaning.Criteria:
    states = arguments.state.split(",") if arguments.state else ()
    return cleaning.Criteria(
        names=arguments.ids,
        older_than=_read("--older-than", arguments.older_than, values.duration) or 0.0,
        keep=_read("--keep", arguments.keep, _whole),
        states=[word.strip().replace("-", " ").replace("_", " ") for word in states],
    )


def _read(option: str, text: str | None, read: Any) -> Any:
    try:
        return None if text is None else read(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise values.BadValueError("must be a whole number, 0 or more")
    return int(text)


def _tell(report: Report, left: Leftovers, *, done: bool) -> None:
    if report.runs:
        counts = ", ".join(f"{count} {word}" for word, count in report.counts.items())
        print(f"{ids.runs(run.id for run in report.runs)}: {counts}")
    for count, what in (
        (len(report.outputs), "executed notebooks"),
        (len(left.files), "temporary files that nobody writes any more"),
        (len(left.sessions), "tmux sessions of batches that are through"),
        (len(left.environments), "environments that nobody uses"),
        (left.unfinished, "runs that an interrupted clean has begun to remove"),
    ):
        if count:
            print(f"{count} {what}")
    for why in report.stayed:
        output.say(why)
    if report.runs or left or report.freed:
        room = logs.megabytes(report.freed + left.size)
        print(f"{room} freed" if done else f"{room} would be freed")
    elif not report.stayed:
        print("nothing to clean")


def _advise(criteria: cleaning.Criteria, report: Report, left: Leftovers, *, done: bool) -> None:
    if criteria.says_nothing:
        output.say("which runs: --older-than 30d, --keep 50, --state failed, or b3 7 train")
    if (report.runs or left) and not done:
        output.say("nothing was removed yet: the same with --yes")
