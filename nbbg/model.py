"""The nouns: arms, runs, batches, and the states that an attempt can be in.

Frozen values without behaviour beyond saying what they are. A state carries only its own
fields; `word` is its name everywhere, `reason` the sentence beside it. Cells are counted as a
person counts: the code cells of the executed notebook, from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OF_RUN, OF_CELL, OF_QUIET = "run", "cell", "quiet"  # whose limit of time it was
_QUIET = "no output and no CPU"
_LEAST_MINUTES = 120  # seconds from which minutes are said


@dataclass(frozen=True)
class Arm:
    """One notebook with one set of parameters: what is compared with another."""

    name: str
    notebook: str  # path in the project, or absolute outside it
    params: Mapping[str, Any]
    seed: int  # the base: run k has seed + k
    source: str  # hash of the code cells at launch
    frozen: str  # the frozen notebook, relative to the batch
    engine: str
    python: str  # interpreter of the run; empty for a kernel of another language
    kernel: str  # kernelspec name, for the `kernel` engine
    output: str  # where the executed notebook goes, with {number}, {seed}, {run}; absolute
    cwd: str
    injected: str = ""  # source of the cell with the parameters; empty for Python
    results: tuple[str, ...] = ()  # variables that its own cell tagged `results` names
    python_source: str = ""  # why that interpreter, such as "--python", "VIRTUAL_ENV"
    # What its environment sets at the start, `${NAME}` filled in; None: is not to be set.
    variables: Mapping[str, str | None] = field(default_factory=dict)
    # Secrets that it sets too, whose values are not recorded.
    withheld: Sequence[str] = field(default_factory=list)
    script: str = ""  # what the `plain` engine executes, relative to the batch

    @property
    def log_only(self) -> bool:
        """Whether its engine keeps a log, and no executed notebook."""
        return bool(self.script)

    def identity(self) -> tuple[str, str, int]:
        """What makes two arms the same arm."""
        return identity(self.notebook, self.params, self.seed)

    def output_of(self, number: int, run: int = 0) -> str:
        """Where the executed notebook of that run number, and of that run's id, goes."""
        found = self.output.replace("{number}", str(number)).replace("{run}", str(run))
        return found.replace("{seed}", str(self.seed + number))


def identity(notebook: str, params: Mapping[str, Any], seed: int) -> tuple[str, str, int]:
    """An arm's identity: the notebook's path in the project, all given parameters, the base."""
    return notebook, repr(sorted(params.items())), seed


@dataclass(frozen=True, slots=True)
class Planned:
    """One line of a plan: one arm at one run number."""

    id: int
    arm: str
    number: int
    seed: int


@dataclass(frozen=True)
class Batch:
    """What one `nbbg run` asked for."""

    id: int
    first: int  # the ids of its runs, both included
    last: int
    jobs: int
    executor: str
    created_at: float
    command: tuple[str, ...]
    note: str
    grace: float  # seconds between the steps of a stop
    results: tuple[str, ...]  # names of variables to keep
    exit_file: str  # absolute, or empty
    host: str
    arms: Mapping[str, Arm]
    timeout: float = 0.0  # seconds that a run may take; 0: no limit
    cell_timeout: float = 0.0  # seconds that each cell may take; 0: no limit
    watchdog: float = 0.0  # seconds without output and CPU that end a run; 0: never
    quiet_after: float = 600.0  # seconds without output and CPU after which it is said; 0: never
    allow_errors: bool = False  # whether a notebook goes on after a cell that raised
    machine_jobs: int = 0  # runs of all batches of the user on the machine; 0: no limit
    gpus: Mapping[str, str] = field(default_factory=dict)  # name -> what its slots are named after
    per_gpu: int = 1  # runs that share a GPU
    gpu_free: int = 0  # bytes that must be free on it for each run; 0: nobody looks
    retries: int = 0  # attempts of a run, by itself, beyond the first
    retry_delay: float = 0.0  # seconds before the second attempt; doubled for each further one
    retry_on: tuple[str, ...] = ()  # the endings after which there is another attempt
    max_failures: int = 0  # runs that may fail for good before nothing more starts; 0: any number
    root: str = ""  # the project's, where its store lies elsewhere; else it is beside the store
    facts: Mapping[str, Any] = field(default_factory=dict)  # commit, interpreter, environment

    @property
    def name(self) -> str:
        """As it is typed: `b3`."""
        return f"b{self.id}"


@dataclass(frozen=True)
class Identity:
    """A process that no other can be taken for: pid and start time, on one boot of one host."""

    pid: int
    start_time: int  # clock ticks after boot


@dataclass(frozen=True)
class Claim:
    """`process.json`: who runs this attempt."""

    runner: Identity
    host: str
    boot: str
    namespace: str  # of pids
    lock_device: int
    lock_inode: int
    marker: str
    at: float
    machine: str = ""
    gpu: str = ""  # as CUDA_VISIBLE_DEVICES names it
    slots: tuple[str, ...] = ()  # that it holds


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
    word: ClassVar[str] = "running"

    @property
    def reason(self) -> str:
        """What is unusual about it."""
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


Ended = Succeeded | Failed | Exited | Killed | TimedOut | Stopped
RunState = Queued | Submitted | Running | Ended | Lost | Unknown

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


@dataclass(frozen=True, slots=True)
class Run:
    """One arm at one run number, as the records of its newest attempt tell it now."""

    id: int
    batch: int
    arm: Arm
    number: int
    seed: int
    attempt: int
    state: RunState
    executor: str
    queued_at: float
    folder: str  # of the attempt, absolute
    host: str = ""
    pid: int | None = None
    runner_pid: int | None = None
    gpu: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    cell: int | None = None  # 1..cells, the running or last one
    cells: int | None = None
    resumed_after: Any = None  # the last saved step that a later attempt went on from
    metrics: Mapping[str, Any] = field(default_factory=dict)  # last value of each
    # Another attempt follows by itself: when it is due, or when its stopped batch is resumed.
    again: Again | None = None
    imported: str = ""  # a digest of the project's modules that it imported, once it has ended

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return not isinstance(self.state, Queued | Submitted | Running | Unknown)


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
