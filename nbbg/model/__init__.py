"""The nouns: arms, runs, batches, and the states that an attempt can be in.

Frozen values without behaviour beyond saying what they are. Cells are counted as a person counts:
the code cells of the executed notebook, from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nbbg.classes import dataclass, field
from nbbg.model.states import (
    AT_WORK,
    OF_CELL,
    OF_QUIET,
    OF_RUN,
    RESUMABLE,
    RETRIABLE,
    UNSUCCESSFUL,
    WORDS,
    Again,
    CellError,
    Ended,
    Exited,
    Failed,
    Killed,
    Lost,
    Queued,
    Quiet,
    Running,
    RunState,
    Stopped,
    Submitted,
    Succeeded,
    TimedOut,
    Told,
    Unknown,
    Word,
    spelled,
)
from nbbg.model.until import Until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AT_WORK",
    "OF_CELL",
    "OF_QUIET",
    "OF_RUN",
    "RESUMABLE",
    "RETRIABLE",
    "SEEN_FROM_HERE",
    "UNSUCCESSFUL",
    "WORDS",
    "Again",
    "Arm",
    "Batch",
    "CellError",
    "Claim",
    "Ended",
    "Exited",
    "Failed",
    "Identity",
    "Killed",
    "Lost",
    "Planned",
    "Queued",
    "Quiet",
    "Run",
    "RunState",
    "Running",
    "Span",
    "Stopped",
    "Submitted",
    "Succeeded",
    "TimedOut",
    "Told",
    "Unknown",
    "Until",
    "Word",
    "identity",
    "spelled",
]


AUTO, ON, OFF = "auto", "on", "off"  # warm starts
# Executors whose runs a supervisor of this machine starts and sees.
SEEN_FROM_HERE = frozenset(("local", "tmux", "inline"))


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
    options: tuple[str, ...] = ()  # of the executor's own, as they were typed
    gpu_free: int = 0  # bytes that must be free on it for each run; 0: nobody looks
    log_max: int = 0  # bytes that a log may take, and a journal; 0: no limit
    scratch: str = ""  # where attempts get a folder on a disk of their machine: $TMPDIR
    retries: int = 0  # attempts of a run, by itself, beyond the first
    retry_delay: float = 0.0  # seconds before the second attempt; doubled for each further one
    retry_on: tuple[str, ...] = ()  # the endings after which there is another attempt
    max_failures: int = 0  # runs that may fail for good before nothing more starts; 0: any number
    until: Until | None = None  # it ends when its arms are told apart
    warm: str = "off"  # whether runs are forked from a process that has imported: auto, on, off
    preload: tuple[str, ...] = ()  # modules that it imports too; after a "-", those it does not
    root: str = ""  # the project's, where its store lies elsewhere; else it is beside the store
    facts: Mapping[str, Any] = field(default_factory=dict)  # commit, interpreter, environment

    @property
    def name(self) -> str:
        """As it is typed: `b3`."""
        return f"b{self.id}"

    def last_before(self, look: int) -> int:
        """The id of the last run that counts at that look, from 1, of one that has looks."""
        assert self.until is not None  # noqa: S101 - the caller has asked
        return self.first + len(self.until.arms) * self.until.looks[look - 1] - 1

    def at_once(self, jobs: int = 0) -> int:
        """How many of its runs can be at work together; `jobs` where they were changed since."""
        slots = [self.machine_jobs, len(self.gpus) * self.per_gpu]
        return min([jobs or self.jobs, *(number for number in slots if number)])


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
    up: float = 0.0  # seconds on a clock of the boot that nobody sets; 0: not told


class Span(NamedTuple):
    """What is known of a metric's curve without reading it; steps as logged, None without one."""

    logged: int  # how many numbers, finite or not
    step: Any  # of the last one
    low: float | None  # the smallest finite one; None where there is none
    low_step: Any
    high: float | None
    high_step: Any


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
    spans: Mapping[str, Span] = field(default_factory=dict)  # of metrics; not of a resumed attempt
    # Once it has ended: the named results that are a number, a bool or a short text. None: look.
    scalars: Mapping[str, Any] | None = None
    others: Sequence[str] = ()  # the other named results, such as `layers (json)`
    # Another attempt follows by itself: when it is due, or when its stopped batch is resumed.
    again: Again | None = None
    imported: str = ""  # a digest of the project's modules that it imported, once it has ended
    bytes: int | None = None  # that its files take, once it has ended
    cleaned_at: float | None = None  # when its files were cleaned away; its record stays
    machine: str = ""  # as the project calls the host that has it; empty where it has no other name

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return not isinstance(self.state, Queued | Submitted | Running | Unknown)

    @property
    def needless(self) -> bool:
        """Whether it was not started since its batch was decided without it."""
        return isinstance(self.state, Stopped) and self.state.needless
