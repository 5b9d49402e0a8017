"""The bar of `run --wait` and `wait`. A view: Ctrl-C leaves it, and the runs go on."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NoReturn, Self, TextIO

from nbbg import model
from nbbg.cli import ids, output, table
from nbbg.errors import Abandoned
from nbbg.index import Index
from nbbg.ops import reports, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tqdm import tqdm

    from nbbg.ops.project import Project

TIMED_OUT = 124
INTERRUPTED = 130
MOST = 20  # runs that did not succeed and are told one by one
NOW_AND_THEN = 30.0  # seconds


def wait(where: Project, numbers: Sequence[int], timeout: float | None = None) -> int:
    """Wait for runs under a bar: 0 all succeeded, 1 some did not, 124 timed out, 130 Ctrl-C."""
    view = _View(_bar(len(numbers)))
    try:
        with Index(where.store) as index, view.bar:
            for run in waiting.as_they_end(index, numbers, timeout):
                view.take(run)
            verdicts = _verdicts(index, numbers)
    except KeyboardInterrupt:
        output.say("\nleft the view; the runs go on\n  nbbg status")
        return INTERRUPTED
    except TimeoutError:
        output.say(f"nbbg: after {timeout:g} s some have not ended; none was stopped")
        return TIMED_OUT
    except Abandoned as error:
        output.say(f"nbbg: {error}")
        return 1
    view.say_the_end()
    for verdict in verdicts:
        output.say(verdict)
    return 1 if view.unsuccessful else 0


def _verdicts(index: Index, numbers: Sequence[int]) -> list[str]:
    """What came of the batches that run until they are decided."""
    found = [reports.until(index, index.batch(each)) for each in index.batches_of(numbers)]
    return [str(report) for report in found if report]


def _bar(total: int) -> tqdm[NoReturn] | _NoBar:
    if not sys.stderr.isatty():
        return _NoBar(total)
    from tqdm import tqdm

    return tqdm(total=total, unit="run")


class _NoBar:
    """In place of a bar where there is no terminal to draw it on."""

    disable = True

    def __init__(self, total: int) -> None:
        self.total = total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self) -> None:
        """Draw nothing."""

    def set_postfix_str(self, text: str, *, refresh: bool) -> None:
        """Draw nothing."""

    def write(self, text: str, file: TextIO) -> None:
        """Print a line."""
        print(text, file=file)


class _View:
    """A bar on a terminal, with the failures beside it; elsewhere a line now and then."""

    def __init__(self, bar: tqdm[NoReturn] | _NoBar) -> None:
        self.bar = bar
        self.done = self.unsuccessful = self.told = 0
        self.never_began: dict[tuple[int, str], list[int]] = {}  # runs by batch and reason
        self._began = self._said = time.monotonic()

    def take(self, run: model.Run) -> None:
        """Tell that a run has ended, or is not needed any more."""
        if run.needless:
            self.bar.update()
            return
        self.done += 1
        if run.state.word != model.Succeeded.word:
            self.unsuccessful += 1
            self._tell(run)
            self.bar.set_postfix_str(f"{self.unsuccessful} not succeeded", refresh=False)
        self.bar.update()
        late = time.monotonic() - self._said >= NOW_AND_THEN
        if self.bar.disable and late and self.done < int(self.bar.total or 0):
            self._said = time.monotonic()
            output.say(self._so_far())

    def _tell(self, run: model.Run) -> None:
        if isinstance(run.state, model.Stopped) and run.started_at is None:
            self.never_began.setdefault((run.batch, run.state.reason), []).append(run.id)
            return
        self.told += 1
        if self.told <= MOST:
            self.bar.write(line(run), file=sys.stderr)

    def _so_far(self) -> str:
        total = int(self.bar.total or 0)
        left = (time.monotonic() - self._began) / self.done * (total - self.done)
        failed = f", {self.unsuccessful} not succeeded" if self.unsuccessful else ""
        return f"{self.done} of {total} ended{failed}, about {table.duration(left)} left"

    def say_the_end(self) -> None:
        """The sum, and what was not told one by one."""
        if self.told > MOST:
            output.say(f"and {self.told - MOST} more did not succeed: nbbg status")
        for (batch, reason), runs in self.never_began.items():
            output.say(f"{ids.runs(runs)} stopped: {reason}   nbbg resume b{batch}")
        output.say(f"{self.done - self.unsuccessful} of {self.done} succeeded")


def line(run: model.Run) -> str:
    """A run that did not succeed, and where to look."""
    reason = f": {table.one_line(run.state.reason, 100)}" if run.state.reason else ""
    what = f"run {run.id} ({run.arm.name} {run.number}) {run.state.word}{reason}"
    return f"{what}   nbbg show {run.id}"
