"""The states that an attempt can be in, and the sentences about them.

A state carries only its own fields; `word` is its name everywhere, `reason` the sentence beside it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from nbbg.classes import dataclass

OF_RUN, OF_CELL, OF_QUIET = "run", "cell", "quiet"  # whose limit of time it was
_QUIET = "no output and no CPU"
_LEAST_MINUTES = 120  # seconds from which minutes are said


@dataclass(frozen=True)
class CellError:
    """An exception that ended a notebook."""

    cell: int
    name: str
    value: str

    def __str__(self) -> str:
        return f"cell {self.cell}: {self.name}" + (f": {self.value}" if self.value else "")


@dataclass(frozen=True)
class Again:
    """What follows by itself on an attempt that did not succeed: another one."""

    attempt: int
    attempts: int  # that there may be in all
    at: float  # not before, seconds since the epoch
    seconds: float  # until then, when it was looked at
    after: str  # how the attempt before it ended

    def __str__(self) -> str:
        when = f"in {spelled(max(1, round(self.seconds)))}" if self.seconds > 0 else "next"
        return f"attempt {self.attempt} of {self.attempts} {when}; before: {self.after}"


@dataclass(frozen=True)
class Queued:
    """Asked for, not started; or to be tried again."""

    again: Again | None = None
    word: ClassVar[str] = "queued"

    @property
    def reason(self) -> str:
        """Which attempt it waits for, and why."""
        return str(self.again) if self.again else ""


@dataclass(frozen=True)
class Submitted:
    """Carried to its place; the runner has not claimed it yet."""

    waits_for: str = ""  # the slot that was not free
    word: ClassVar[str] = "submitted"

    @property
    def reason(self) -> str:
        """What it waits for, where that is more than its runner's start."""
        return f"waiting for {self.waits_for}" if self.waits_for else ""


@dataclass(frozen=True)
class Quiet:
    """What its runner has noticed of a run that neither prints nor computes."""

    seconds: float  # for so long
    cell: int | None
    halted: tuple[int, ...] = ()  # pids that a signal has stopped

    def __str__(self) -> str:
        if self.halted:
            pids = " ".join(map(str, self.halted))
            return f"stopped by a signal (SIGSTOP){_in_cell(self.cell)}; kill -CONT {pids}"
        return f"{_QUIET} for {spelled(self.seconds)}{_in_cell(self.cell)}"


@dataclass(frozen=True)
class Running:
    """Something of the attempt lives."""

    stopping: bool = False
    runner_alive: bool = True
    quiet: Quiet | None = None
    no_room: bool = False  # it is over, and its runner waits until that can be written
    word: ClassVar[str] = "running"

    @property
    def reason(self) -> str:
        """What is unusual about it."""
        if self.no_room:
            return "over, but the disk is full: how it ended can't be written"
        if self.stopping:
            return "stopping"
        if not self.runner_alive:
            return "its runner was killed; the engine goes on"
        return str(self.quiet) if self.quiet else ""


@dataclass(frozen=True)
class Succeeded:
    """Every cell was executed, or the notebook ended itself with `sys.exit(0)`."""

    left_out: tuple[int, ...] = ()
    note: str = ""
    word: ClassVar[str] = "succeeded"

    @property
    def reason(self) -> str:
        """Which cells were left out, and anything unusual about the end."""
        cells = ", ".join(str(cell) for cell in self.left_out)
        left = f"ended itself; cells left out: {cells}" if cells else ""
        return "; ".join(part for part in (left, self.note) if part)


@dataclass(frozen=True)
class Failed:
    """A cell raised, or the engine could not do its work."""

    error: CellError | None
    note: str = ""
    word: ClassVar[str] = "failed"

    @property
    def reason(self) -> str:
        """The cell and the exception."""
        parts = (str(self.error) if self.error else "", self.note)
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class Exited:
    """The engine's process ended by itself before the notebook's end, or with a code."""

    code: int
    cell: int | None
    note: str = ""
    word: ClassVar[str] = "exited"

    @property
    def reason(self) -> str:
        """The code and the cell."""
        return _with_note(f"exit code {self.code}{_in_cell(self.cell)}", self.note)


@dataclass(frozen=True)
class Killed:
    """A signal ended the engine."""

    signal: str  # its name, such as SIGKILL
    cell: int | None
    out_of_memory: bool = False
    word: ClassVar[str] = "killed"

    @property
    def reason(self) -> str:
        """The signal, the cell, and out of memory where the kernel says so."""
        memory = "out of memory, " if self.out_of_memory else ""
        return f"{memory}{self.signal}{_in_cell(self.cell)}"


@dataclass(frozen=True)
class TimedOut:
    """A limit of time ended it."""

    limit: float  # seconds
    cell: int | None
    what: str = OF_RUN  # whose limit: OF_RUN, OF_CELL, OF_QUIET
    note: str = ""
    word: ClassVar[str] = "timed out"

    @property
    def reason(self) -> str:
        """Which limit, and the cell."""
        long = spelled(self.limit)
        if self.what == OF_CELL:
            return _with_note(f"cell {self.cell} took longer than {long}", self.note)
        why = f"{_QUIET} for {long}" if self.what == OF_QUIET else f"after {long}"
        return _with_note(f"{why}{_in_cell(self.cell)}", self.note)


@dataclass(frozen=True)
class Stopped:
    """Somebody, or an exit file, asked for it."""

    by: str
    cell: int | None = None
    note: str = ""
    with_batch: bool = False  # it waits, and is stopped only as long as its batch is
    needless: bool = False  # its batch was decided without it
    word: ClassVar[str] = "stopped"

    @property
    def reason(self) -> str:
        """Who asked, and the cell it was in."""
        return _with_note(f"{self.by}{_in_cell(self.cell)}", self.note)


@dataclass(frozen=True)
class Lost:
    """It ended without a word: no process, no result, no end in its journal."""

    why: str
    word: ClassVar[str] = "lost"

    @property
    def reason(self) -> str:
        """What is known."""
        return self.why


@dataclass(frozen=True)
class Unknown:
    """It can't be told from here; never counted as failed, never started again by itself."""

    why: str
    word: ClassVar[str] = "unknown"

    @property
    def reason(self) -> str:
        """Why it can't be told."""
        return self.why


class Word(StrEnum):
    """What an executor can say of something that it was given."""

    QUEUED = "queued"  # it waits there
    RUNNING = "running"
    GONE = "gone"  # the executor knows that it is over, or never heard of it
    UNKNOWN = "unknown"  # it can't be asked now


@dataclass(frozen=True)
class Told:
    """An executor's word about one attempt; it only explains a missing result."""

    word: Word
    reason: str = ""  # in its own words, such as Slurm's `Resources`
    since: float = 0.0  # when it was first told so without a break, seconds since the epoch


Ended = Succeeded | Failed | Exited | Killed | TimedOut | Stopped
RunState = Queued | Submitted | Running | Ended | Lost | Unknown

AT_WORK = frozenset({Queued.word, Submitted.word, Running.word, Unknown.word})  # or may be
UNSUCCESSFUL = frozenset({Failed.word, Exited.word, Killed.word, TimedOut.word})
RESUMABLE = frozenset({Stopped.word, Lost.word})
# After these there can be another attempt by itself. Never after `stopped`, which a person meant,
# nor `unknown`, which may be alive.
RETRIABLE = (Failed.word, Exited.word, Killed.word, TimedOut.word, Lost.word)
WORDS = (
    Queued.word,
    Submitted.word,
    Running.word,
    Succeeded.word,
    *(Failed.word, Exited.word, Killed.word, TimedOut.word),
    *(Stopped.word, Lost.word, Unknown.word),
)


def spelled(seconds: float) -> str:
    """A duration as a sentence says it: 90 s, 10 min, 1 h 30 min, 1 d."""
    if seconds < _LEAST_MINUTES:
        return f"{seconds:.3g} s"
    whole, parts = round(seconds), []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, whole = divmod(whole, length)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2])


def _in_cell(cell: int | None) -> str:
    return "" if cell is None else f" in cell {cell}"


def _with_note(text: str, note: str) -> str:
    return f"{text}; {note}" if note else text
