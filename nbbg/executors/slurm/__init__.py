"""`slurm`: each run a task of an array, submitted with sbatch; no supervisor is needed.

The runner opens the attempt itself, on its node (`nbbg.runner.opening`). The folder of the records
must be on a file system that the nodes share.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from nbbg import files, model, paths, process
from nbbg.errors import EnvironmentFault
from nbbg.executors import Ticket
from nbbg.executors.slurm import commands, fates, script
from nbbg.store import batches, changes, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nbbg.executors.slurm.commands import Line
    from nbbg.store.submissions import Submission

RANGES = 5000  # of indices that one word of a command line takes
QUEUED = frozenset(
    (
        *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD"),
        *("RESV_DEL_HOLD", "SPECIAL_EXIT"),
    )
)
RUNNING = frozenset(
    (
        *("RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT"),
        *("STOPPED", "SIGNALING", "RESIZING"),
    )
)


class Slurm:
    """Gives whole batches to Slurm, and asks it about them."""

    detached = True
    supervised = False

    def check(self, options: Sequence[str] = (), store: Path | None = None) -> None:  # noqa: ARG002 - nothing of it is there
        """Whether Slurm would take such a job, by its own word; nothing is submitted."""
        given = script.parse(options)
        if commands.missing():
            message = "there is no Slurm here\nlog in where sbatch is, or --executor local"
            raise EnvironmentFault(message)
        commands.would_take(script.text("a trial", "nbbg-trial", "0-0", given))

    def submit(self, attempt: Path) -> Ticket:
        """Submit one run alone."""
        batch = attempt.parents[2]
        run = int(attempt.parent.name)
        self.hand_over(batch, [run], os.environ)
        made = submissions.newest(submissions.of(batch), run)
        return Ticket(None, {"job": made.ticket(run)} if made else {})

    def hand_over(self, batch: Path, runs: Collection[int], environment: Mapping[str, str]) -> None:
        """Submit those of the runs that are not in the line already.

        Raises:
            EnvironmentFault: Slurm does not take them, or can't be asked; those that it did not
                take are as they were.
        """
        with submissions.alone(batch):
            lines = commands.squeue()
            _find_again(batch, lines)
            waiting = _in_line(submissions.of(batch), lines)
            left = sorted(run for run in runs if run not in waiting)
            if left:
                _submit(batch, left, environment)

    def poll(self, tickets: Iterable[str]) -> dict[str, model.Told]:
        """What Slurm says of tasks, `JOB_INDEX`, in one call."""
        wanted = list(tickets)
        try:
            lines = commands.squeue()
        except EnvironmentFault as fault:
            reason = str(fault).partition("\n")[0]
            return dict.fromkeys(wanted, model.Told(model.Word.UNKNOWN, reason))
        jobs = {ticket.partition("_")[0] for ticket in wanted}
        found = {
            f"{line.job}_{index}": _told(line)
            for line in lines
            if line.job in jobs
            for index in line.indices()
        }
        known = {line.job for line in lines}
        return {ticket: found.get(ticket) or _gone(ticket, known) for ticket in wanted}

    def cancel(self, ticket: str, signal: int) -> None:
        """Send a signal to the runner of a task; one that waits is taken out of the line."""
        commands.scancel("--batch", f"--signal={signal}", ticket)

    def withdraw(self, batch: Path, runs: Iterable[int]) -> None:
        """Take runs that wait out of the line; those that have started are left alone.

        By their indices, for with `--state=PENDING` scancel takes the whole array out.
        """
        made = submissions.of(batch)
        tickets = [each.ticket(run) for run in runs if (each := submissions.newest(made, run))]
        waiting: dict[str, list[int]] = {}
        for ticket, told in self.poll(tickets).items():
            if told.word is model.Word.UNKNOWN:
                raise EnvironmentFault(told.reason)
            if told.word is model.Word.QUEUED:
                job, _, index = ticket.partition("_")
                waiting.setdefault(job, []).append(int(index))
        for job, indices in waiting.items():
            found = submissions.ranges(indices)
            for at in range(0, len(found), RANGES):
                array = ",".join(_range(*pair) for pair in found[at : at + RANGES])
                commands.scancel(f"{job}_[{array}]")

    def fates(self, batch: Path, runs: Collection[int]) -> Mapping[int, model.Told]:
        """How tasks ended whose runs never began: cancelled, or as their output says."""
        return fates.of(batch, runs)

    def follow(self, batch: Path) -> None:
        """Have Slurm do what was changed: how many at a time, a pause, its end."""
        record = batches.read_folder(batch)
        course = changes.read(batch, record)
        for job in _in_the_line(submissions.of(batch), commands.squeue()):
            commands.change("update", f"JobId={job}", f"ArrayTaskThrottle={course.jobs}")
            commands.change("hold" if course.paused_at else "release", job)

    def fetch(self, batches: Collection[Path]) -> None:
        """The nodes write to the same folder."""


def _gone(ticket: str, known: Collection[str]) -> model.Told:
    """Slurm forgets at once what is taken out of an array's line, and arrays after a while."""
    taken_out = ticket.partition("_")[0] in known
    reason = fates.CANCELLED if taken_out else "Slurm does not know it any more"
    return model.Told(model.Word.GONE, reason)


def _told(line: Line) -> model.Told:
    state = line.state.partition(" ")[0]
    if state in QUEUED:
        return model.Told(model.Word.QUEUED, "" if line.reason == "None" else line.reason)
    if state in RUNNING:
        return model.Told(model.Word.RUNNING)
    return model.Told(model.Word.GONE, state.lower().replace("_", " "))


def _in_line(made: Iterable[Submission], lines: Iterable[Line]) -> set[int]:
    """The runs that Slurm has, waiting or at work."""
    of_job = {each.job: each for each in made if each.job}
    return {
        of_job[line.job].base + index
        for line in lines
        if line.job in of_job and _told(line).word is not model.Word.GONE
        for index in line.indices()
    }


def _in_the_line(made: Iterable[Submission], lines: Iterable[Line]) -> list[str]:
    """The arrays of which tasks wait."""
    jobs = {each.job for each in made if each.job}
    waiting = (line.job for line in lines if _told(line).word is model.Word.QUEUED)
    return sorted(jobs.intersection(waiting))


def _find_again(batch: Path, lines: Sequence[Line]) -> None:
    """Settle submissions whose answer was lost: Slurm has them by their name, or never had."""
    jobs = {line.name: line.job for line in lines}
    for each in submissions.of(batch):
        if each.job is None:
            submissions.settle(batch, each, jobs.get(each.name, ""))


def _submit(batch: Path, runs: Sequence[int], environment: Mapping[str, str]) -> None:
    record = batches.read_folder(batch)
    course = changes.read(batch, record)
    options = script.parse(record.options)
    after = ""
    for some in _windows(runs, commands.largest_index()):
        made = submissions.intend(batch, _name(batch), some, host=process.host())
        indices = submissions.ranges(run - made.base for run in some)
        array = f"{','.join(_range(*pair) for pair in indices)}%{course.jobs}"
        title = f"{record.name} of {batch.parents[2]}, runs {some[0]} to {some[-1]}"
        written = script.text(title, made.name, array, options)
        folder = batch / paths.JOBS
        files.write_new(folder / f"{made.number}.sh", written.encode())
        words = [
            f"--output={str(folder).replace('%', '%%')}/{made.number}-%a.out",
            f"--chdir={os.sep}",
            "--export=ALL",
            *([f"--dependency=afterany:{after}"] if after else []),
            *(str(folder / f"{made.number}.sh"), str(batch / paths.RUNS), str(made.base)),
            *process.own_program("nbbg.runner", "--run"),
        ]
        try:
            after = commands.sbatch(words, "", environment)
        except commands.NoAnswerError:  # to be found again by its name
            raise
        except EnvironmentFault:
            submissions.settle(batch, made, "")
            raise
        submissions.settle(batch, made, after)


def _windows(runs: Sequence[int], largest: int) -> Iterator[list[int]]:
    """The runs in groups whose indices an array can have; one group after the other."""
    some: list[int] = []
    for run in runs:
        if some and run - some[0] > largest:
            yield some
            some = []
        some.append(run)
    yield some


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _name(batch: Path) -> str:
    """A job's name that no other batch has, wherever its records lie."""
    short = hashlib.sha256(os.fsencode(batch.resolve())).hexdigest()[:8]
    return f"nbbg-{short}-b{batch.name}"


EXECUTOR = Slurm()
