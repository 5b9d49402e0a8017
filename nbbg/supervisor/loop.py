"""The thin loop around `decide`: look, decide, apply, wait."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import executors, faults, files, model, paths, process
from nbbg.errors import EnvironmentFault, NbbgError
from nbbg.runner import hiding  # not later: nbbg may be upgraded while the batch is at work
from nbbg.runner.stopping import sweep
from nbbg.store import batches, changes, cleaned, locks, place, policy, reading, runs, state
from nbbg.supervisor.decide import Finish, Look, Next, Standing, Start, Stop, Wait, decide
from nbbg.supervisor.live import Live, watch_of
from nbbg.supervisor.looks import Looks
from nbbg.supervisor.queue import Queue
from nbbg.supervisor.seats import Seats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.executors import Executor, Ticket
    from nbbg.supervisor.decide import Action
    from nbbg.supervisor.warming import Warming

PADDED = 64  # bytes
AFTER = 1e-3  # seconds, by which one thing is said to be later than another
IN_TURN = 0.5  # seconds between two looks at live runs of which nothing is known
SEVERAL_FAULTS = 5  # submissions in a row that failed before it gives up


def supervise(folder: Path, environment: Mapping[str, str] = os.environ) -> None:
    """See a batch through; leave at once when another supervisor is at it.

    Args:
        folder: the batch's.
        environment: what its runs are given.
    """
    with files.Folder(folder) as opened:
        lock = opened.open(paths.SUPERVISOR_LOCK, os.O_RDWR | os.O_CREAT)
        while opened.exists(paths.BATCH) and locks.take(lock):
            faults.step("after", "supervision")
            # Of fixed width, so that a reader never sees half of it.
            os.pwrite(lock, files.to_json({"pid": os.getpid()}).ljust(PADDED), 0)
            here = opened.where()
            batches.make_caches(Path(here))
            try:
                with contextlib.closing(Supervisor(Path(here), environment)) as supervisor:
                    supervisor.run()
                    locks.release(lock)
                    # Who queued a run while the lock was held has left the work to this process.
                    if not supervisor.has_more_to_do():
                        break
            except FileNotFoundError:  # the project was moved: go on where it is now
                if opened.where() == here:
                    raise
                locks.release(lock)
        os.close(lock)


class Supervisor:
    """One batch while this process holds its lock."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.store = place.of_batch(folder)
        self.batch = batches.read_folder(folder)
        self.executor: Executor = executors.get(self.batch.executor)
        self.queue = Queue(self.store, self.batch)
        self.seats = Seats(self.batch, environment)
        self.looks = Looks(folder, self.batch)
        self.warming = _warming(folder, self.batch, environment)
        self.live: dict[int, Live] = {}
        self.decided_at = 0.0
        self.faults = 0
        self.ready: set[int] = set()  # descriptors of what has exited since the last look

    def run(self) -> None:
        """Start and wait until there is nothing to do."""
        while True:
            self.look()
            for action in self.decide():
                match action:
                    case Start(run):
                        self.start(run)
                    case Wait(until):
                        self.wait(until)
                    case Stop(why):
                        batches.ask_to_stop(self.folder, why, after_run=True)
                    case Look():
                        self.looks.take()
                    case Finish():
                        return

    def close(self) -> None:
        """End what was started for this supervisor alone."""
        if self.warming:
            self.warming.close()

    def wait(self, until: float | None) -> None:
        """Until something ends, until it is time for a look, or until the time that is given."""
        nap = self.seats.nap
        seconds = nap if until is None else max(0.0, min(nap, until - time.monotonic()))
        watches = [live.watch for live in self.live.values()]
        more = self.warming.watches() if self.warming else ()
        self.ready = process.wait_any([*watches, *more], seconds)

    def look(self) -> None:
        """Take in what has changed outside."""
        self.queue.read_news()
        while self.queue.found_live:
            self.watch(self.queue.found_live.pop())
        for run, live in self.stirred():
            if cleaned.was(live.folder.parent):  # it was over, and `nbbg clean` was faster
                self.forget(run)
            else:
                self.settle(run)
        exit_file = self.batch.exit_file
        if exit_file and Path(exit_file).exists() and not self.stopped_at():
            batches.ask_to_stop(self.folder, f"exit file {exit_file}", after_run=True)

    def stirred(self) -> list[tuple[int, Live]]:
        """The live runs that may have ended: whose process has exited, or can't be watched.

        And in turn the others, a few a second, so that what nobody thought of holds no batch for
        ever, and many that work cost next to nothing.
        """
        now, ready = time.monotonic(), self.ready
        turn = now - IN_TURN * len(self.live)
        self.ready = set()
        found = [
            (run, live)
            for run, live in self.live.items()
            if live.looked_at <= turn or live.watch.fd < 0 or live.watch.fd in ready
        ]
        for _, live in found:
            live.looked_at = now
        return found

    def stopped_at(self) -> float:
        """When the batch as a whole was asked to stop; 0 where it was not."""
        return batches.stop_of(self.folder)[1]

    def decide(self) -> list[Action]:
        """What to do now."""
        self.decided_at = time.time()  # before the look: a stop that came later counts for the run
        now = self.standing()
        # What starts in spite of a stop was queued after it, whatever the clock says since.
        self.decided_at = max(self.decided_at, now.held_at + AFTER)
        moment = time.monotonic()
        runs_ahead = self.queue.head(now.jobs, moment, now.held_at)
        head = [Next(run, self.queue.queued_at(run), self.queue.due(run)) for run in runs_ahead]
        attempts = [live.folder for live in self.live.values()]
        free = self.seats.most(now.jobs, attempts) - len(attempts)
        if self.warming and head and not now.held_at and self.warming.begins(head[0].run, now.jobs):
            free = 0
        return decide(now, list(self.live), head, moment, free)

    def standing(self) -> Standing:
        """How the batch stands now."""
        # In this order: a `resume` writes its change first, and then takes the stop away.
        stopped_at = self.stopped_at()
        course = changes.read(self.folder, self.batch)
        gate, over_at = self.looks.standing()
        return Standing(
            jobs=course.jobs,
            stopped_at=stopped_at,
            paused_at=course.paused_at,
            failures=self.queue.failures(course.resumed_at),
            max_failures=self.batch.max_failures,
            over_at=over_at,
            gate=gate,
        )

    def has_more_to_do(self) -> bool:
        """Whether something was asked for since `run` returned."""
        self.look()
        return self.faults < SEVERAL_FAULTS and self.decide() != [Finish()]

    def start(self, run: int) -> None:
        """Make the attempt's folder unless it is there, and carry a runner to it."""
        self.queue.take(run)
        try:
            self._carry(run)
        except (NbbgError, OSError) as error:
            self.note_fault(run, error)
            return
        self.watch(run)

    def _carry(self, run: int) -> None:
        attempt = self.next_attempt(run)
        batches.add_event(self.store, self.batch.id, "starting", run, attempt)
        if attempt > 1:
            with contextlib.suppress(FileExistsError):  # a person has queued it
                runs.new_attempt(self.store, self.batch.id, run, attempt)
        _, path = runs.open_attempt(self.store, self.batch.id, run)
        with files.Folder(path) as opened:
            if not isinstance(state.derive(opened), model.Queued):
                return  # it was stopped meanwhile, or queued twice
            try:
                faults.step("before", "submit")
                ticket = self._submit(run, path, opened)
                faults.step("after", "submit")
            except (NbbgError, OSError):
                opened.remove(paths.ENVIRONMENT)
                raise
            if ticket.runner:
                with contextlib.suppress(FileExistsError):  # another machine's, whose locks we miss
                    opened.write_once(paths.TICKET, files.to_json(_record(ticket)))
            elif isinstance(state.derive(opened), model.Queued):
                opened.remove(paths.ENVIRONMENT)
                message = f"its runner ended at once\nsee {self.folder / paths.SUPERVISOR_LOG}"
                raise EnvironmentFault(message)

    def _submit(self, run: int, path: Path, opened: files.Folder) -> Ticket:
        """Fork its runner from a template, if there is one; else start it."""
        order = {"environment": dict(self.environment), "decided_at": self.decided_at}
        cold = ""
        if self.warming:
            order.update(self.warming.order(run))
            opened.overwrite(paths.ENVIRONMENT, files.to_json(order))
            found = self.warming.submit(run, path)
            if isinstance(found, executors.Ticket):
                return found
            cold = found
        opened.overwrite(paths.ENVIRONMENT, files.to_json({**order, "cold": cold}))
        return self.executor.submit(path)

    def next_attempt(self, run: int) -> int:
        """The number of the attempt to start: the newest, or by the policy the one after it."""
        folder = self.store.run(self.batch.id, run)
        newest = runs.newest_attempt(folder)
        if not newest or not self.batch.retries:
            return newest or 1
        path = folder / str(newest)
        with files.Folder(path) as opened:
            again = policy.again(self.batch, newest, state.derive(opened), path)
            if again and not opened.exists(paths.RESULT):
                self.stand_in(opened)
        return again.attempt if again else newest

    def note_fault(self, run: int, error: Exception) -> None:
        """A runner could not be carried: its run stays queued.

        After several in a row the batch is left for a person.
        """
        print(f"run {run}: {error}", file=sys.stderr)  # noqa: T201 - stderr is supervisor.log
        self.faults += 1
        time.sleep(min(self.faults, 3) * 0.2)
        with contextlib.suppress(OSError):  # a full disk, perhaps; what is queued is queued
            if self.faults < SEVERAL_FAULTS:
                batches.add_event(self.store, self.batch.id, "queued", run, 1)
            else:
                why = f"{self.faults} runs could not be started: {error}"
                batches.ask_to_stop(self.folder, why, after_run=True)

    def watch(self, run: int) -> None:
        """Wait for the end of a run that was started, by this supervisor or an earlier one."""
        if run in self.live:
            return
        folder = self.store.run(self.batch.id, run)
        attempt = runs.newest_attempt(folder)
        if cleaned.was(folder):
            return
        path = folder / str(attempt)
        self.live[run] = Live(attempt, path, watch_of(path))
        self.settle(run)

    def settle(self, run: int) -> None:
        """Let go of a run that has ended."""
        live = self.live[run]
        with files.Folder(live.folder) as opened:
            found = state.derive(opened)
            lives = process.alive(live.watch.who)
            if isinstance(found, model.Submitted | model.Running):
                if not lives:
                    live.watch.close()
                    live.watch = watch_of(live.folder)
                return
            if isinstance(found, model.Unknown):
                # It may be at work: its place is kept while that can be seen, and nothing is ended.
                if lives:
                    return
            elif not opened.exists(paths.RESULT):
                self.stand_in(opened)
            begun, kept = opened.exists(paths.PROCESS), self.put_away(run, live, opened, found)
        self.forget(run)
        if isinstance(found, model.Ended):
            more = {"state": found.word}
            batches.add_event(self.store, self.batch.id, "ended", run, live.attempt, kept, **more)
        self.queue.settle(run)
        if begun:
            self.faults = 0
        elif isinstance(found, model.Lost):  # such as an nbbg that was broken in mid-batch
            self.note_fault(run, EnvironmentFault(found.why))

    def forget(self, run: int) -> None:
        """Watch a run no longer."""
        self.live.pop(run).watch.close()

    def put_away(
        self, run: int, live: Live, opened: files.Folder, found: model.RunState
    ) -> dict[str, Any] | None:
        """What is left to do of an attempt that is over; what the index is to keep of it."""
        opened.remove(paths.ENVIRONMENT)  # of a runner that came too late to claim
        if self.warming:
            self.warming.learn(run, opened)
        # Of a run that is tried again, readers have to look when.
        again = policy.again(self.batch, live.attempt, found, live.folder)
        return (
            reading.kept_of(opened, found) if isinstance(found, model.Ended) and not again else None
        )

    def stand_in(self, attempt: files.Folder) -> None:
        """Do what is left of a runner's work, where it was killed."""
        sweep(attempt, self.batch.grace)
        hiding.hide_secrets(attempt, self.environment)


def _warming(folder: Path, batch: model.Batch, environment: Mapping[str, str]) -> Warming | None:
    """Templates for the runs of a batch, where there are to be any."""
    if batch.warm == model.OFF or batch.executor != "local":
        return None
    if batch.warm != model.ON and batch.first == batch.last:  # not even looked at
        return None
    from nbbg.supervisor.warming import Warming

    return Warming(folder, batch, environment)


def _record(ticket: executors.Ticket) -> dict[str, object]:
    assert ticket.runner is not None  # noqa: S101 - the caller has looked
    return {
        "pid": ticket.runner.pid,
        "start_time": ticket.runner.start_time,
        "host": process.host(),
        "machine": process.machine(),
        "boot": process.boot_id(),
        "at": time.time(),
        **ticket.place,
    }
