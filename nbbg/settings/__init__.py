"""Settings, each with the place that it comes from.

A flag goes before the environment, then the project's `.env`, `[tool.nbbg]` in pyproject.toml,
the user's own file (`~/.config/nbbg/settings.toml`), and the default. A value that can't be meant
is an error that names the place. All variables of `.env` also go into the runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nbbg import secrets
from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.settings import kinds, sources, values
from nbbg.settings.sources import dotenv_environment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["DEFAULT", "Setting", "Settings", "dotenv_environment", "jobs", "masked", "resolve"]

DEFAULT = "default"
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One setting as it applies here."""

    name: str
    value: Any
    source: str  # such as "--jobs", "NBBG_JOBS", ".env", "pyproject.toml", "default"


@dataclass(frozen=True)
class Settings:
    """All settings of one command."""

    all: tuple[Setting, ...]

    def __getitem__(self, name: str) -> Setting:
        """One setting with its source."""
        return next(setting for setting in self.all if setting.name == name)

    @property
    def jobs(self) -> int:
        """How many runs of a batch go on at once."""
        return self._value("jobs", int)

    @property
    def machine_jobs(self) -> int:
        """How many runs of all batches of the user go on at once on the machine; 0: no limit."""
        return self._value("machine_jobs", int)

    @property
    def gpus(self) -> tuple[str, ...]:
        """The GPUs that runs take turns on: numbers, UUIDs, or `all`."""
        return self._value("gpus", tuple)

    @property
    def per_gpu(self) -> int:
        """How many runs share a GPU."""
        return self._value("per_gpu", int)

    @property
    def gpu_free(self) -> int:
        """Bytes that a GPU must have free for a run to start on it; 0: nobody looks."""
        return self._value("gpu_free", int)

    @property
    def engine(self) -> str:
        """How cells are executed; empty: by the notebook's language."""
        return self._value("engine", str)

    @property
    def executor(self) -> str:
        """Where runs are carried to; to hosts where those are named."""
        if self["executor"].source == DEFAULT and self["on"].value:
            return "ssh"
        return self._value("executor", str)

    @property
    def options(self) -> tuple[str, ...]:
        """What the executor is told in its own terms: sbatch's options, or the names of hosts."""
        own = {"slurm": "slurm", "ssh": "on"}.get(self.executor)
        return self._value(own, tuple) if own else ()

    @property
    def send(self) -> tuple[str, ...]:
        """What of the project goes along to other machines, beside the frozen code."""
        return self._value("send", tuple)

    @property
    def python(self) -> str:
        """The interpreter of the runs; empty: chosen for each notebook."""
        return self._value("python", str)

    @property
    def store(self) -> str:
        """The folder of the records; empty: `.nbbg` in the project."""
        return self._value("store", str)

    @property
    def network_file_system(self) -> str:
        """Whether the store lies on one: `true`, `false`, or `auto`, by the file system's type."""
        return self._value("network_file_system", str)

    @property
    def ask_every(self) -> float:
        """Seconds for which what a scheduler or another machine said is good enough."""
        return self._value("ask_every", float)

    @property
    def grace(self) -> float:
        """Seconds between the steps of a stop."""
        return self._value("grace", float)

    @property
    def timeout(self) -> float:
        """Seconds that a run may take; 0: no limit."""
        return self._value("timeout", float)

    @property
    def cell_timeout(self) -> float:
        """Seconds that each cell may take; 0: no limit."""
        return self._value("cell_timeout", float)

    @property
    def watchdog(self) -> float:
        """Seconds without output and CPU after which a run is ended; 0: never."""
        return self._value("watchdog", float)

    @property
    def quiet_after(self) -> float:
        """Seconds without output and CPU after which `status` says so; 0: never."""
        return self._value("quiet_after", float)

    @property
    def allow_errors(self) -> bool:
        """Whether a notebook goes on after a cell that raised."""
        return self._value("allow_errors", bool)

    @property
    def retries(self) -> int:
        """How many more attempts a run is given by itself."""
        return self._value("retries", int)

    @property
    def retry_delay(self) -> float:
        """Seconds before the second attempt; doubled for each further one."""
        return self._value("retry_delay", float)

    @property
    def retry_on(self) -> tuple[str, ...]:
        """The endings after which there is another attempt."""
        return self._value("retry_on", tuple)

    @property
    def max_failures(self) -> int:
        """How many runs may fail before nothing more starts; 0: any number."""
        return self._value("max_failures", int)

    @property
    def warm(self) -> str:
        """Whether runs are forked from a process that has imported: `auto`, `on`, `off`."""
        return self._value("warm", str)

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that it imports too; after a `-`, those that it does not."""
        return self._value("preload", tuple)

    @property
    def freeze(self) -> str:
        """What is frozen at launch: NOTEBOOK alone, or the project's sources too: TREE."""
        if self["freeze"].source == DEFAULT and self.executor == "ssh":
            return values.TREE  # nothing else of the project is there
        return self._value("freeze", str)

    @property
    def notebooks(self) -> tuple[str, ...]:
        """The notebooks of a launch that names none."""
        return self._value("notebooks", tuple)

    @property
    def run_times(self) -> int | None:
        """How many runs of each arm shall succeed, where `--runs` is not given."""
        value = self["run_times"].value
        return value if isinstance(value, int) else None

    @property
    def exit_file(self) -> str:
        """The absolute path of the file that ends a batch after its current runs, or empty."""
        return self._value("exit_file", str)

    @property
    def secrets(self) -> tuple[str, ...]:
        """More names whose values are secrets."""
        return self._value("secrets", tuple)

    @property
    def output_cap(self) -> int:
        """Bytes of output that the executed notebook keeps of a cell; 0: all."""
        return self._value("output_cap", int)

    @property
    def scratch(self) -> str:
        """Where runs get a folder on a disk of their own machine; empty: nowhere."""
        return self._value("scratch", str)

    @property
    def log_max(self) -> int:
        """Bytes that a run's log may take on the disk, and its journal; 0: no limit."""
        return self._value("log_max", int)

    @property
    def keep_runs(self) -> int:
        """How many ended runs of each arm keep their files, at the next launch; 0: all."""
        return self._value("keep_runs", int)

    @property
    def keep_days(self) -> float:
        """Days after its end for which a run keeps its files, at least; 0: for ever."""
        return self._value("keep_days", float)

    def _value(self, name: str, kind: type[T]) -> T:
        value = self[name].value
        if not isinstance(value, kind):
            raise TypeError(f"{name} is a {type(value).__name__}")
        return value


def resolve(
    root: Path,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    only: Collection[str] = (),
) -> Settings:
    """Every setting, from the first place that has it.

    Args:
        root: the project's root.
        environment: of the command.
        flags: settings by name as the command line or a Python caller gave them; None: not given.
        only: the names that matter; all where it is empty.

    Raises:
        UsageError: a value can't be meant, or there is no such setting.
    """
    if unknown := flags.keys() - kinds.KINDS.keys():
        raise UsageError(f"there is no setting {', '.join(sorted(unknown))}; {kinds.known()}")
    dotenv = dotenv_environment(root, environment)
    project = sources.table(root / sources.PYPROJECT, ("tool", "nbbg"))
    own_file = sources.own_file(environment)
    # A folder that is none asks for the environment alone.
    own = sources.table(own_file) if root.is_dir() else {}
    settings = []
    for name in only or kinds.KINDS:
        kind = kinds.KINDS[name]
        given = (
            (flags.get(name), f"--{kinds.dashed(name)}", Path.cwd()),
            (environment.get(kind.variable) or None, kind.variable, Path.cwd()),
            (dotenv.get(kind.variable) or None, sources.DOTENV, root),
            (project.get(name), sources.PYPROJECT, root),
            (own.get(name), str(own_file), own_file.parent),
        )
        home = Path(environment.get("HOME") or Path.home())
        settings.append(_first(name, kind, given, home))
    return Settings(tuple(settings))


def jobs(text: str) -> int:
    """What a person types for how many at a time.

    Raises:
        UsageError: it is no number of 1 or more.
    """
    try:
        return values.count(text, values.Place(Path(), Path()))
    except ValueError as error:
        raise UsageError(f"jobs {text}: {error}\nsuch as: nbbg jobs b3 8") from None


def masked(environment: Mapping[str, str], also: tuple[str, ...] = ()) -> dict[str, str]:
    """Variables as they are shown: a secret's value is as many `*`.

    Args:
        environment: such as what `dotenv_environment` gives.
        also: the setting `secrets`.
    """
    named = ",".join((*also, environment.get(secrets.NAMED, "")))
    hidden = secrets.names({**environment, secrets.NAMED: named})
    return {
        name: "*" * len(value) if name in hidden else value for name, value in environment.items()
    }


def _first(
    name: str,
    kind: kinds.Kind,
    given: tuple[tuple[object, str, Path], ...],
    home: Path,
) -> Setting:
    for value, source, folder in given:
        if value is None:
            continue
        try:
            return Setting(name, kind.read(value, values.Place(folder, home)), source)
        except ValueError as error:
            in_file = source in (sources.DOTENV, sources.PYPROJECT) or os.path.isabs(source)
            shown = name if in_file else source
            where = f" in {folder / source}" if in_file else ""
            raise UsageError(f"{shown} = {value!r}{where}: {error}") from None
    return Setting(name, kind.default, DEFAULT)
