"""The peers, each in an environment of its own below a cache folder, and how each is run.

They are given `it.ipynb` in the current folder, or `it.py`. Each is run as its own
documentation says, at the settings that make it fastest there; scripts run many notebooks in one
process where the peer has an interface for that, so that its own imports are paid once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARIES = ("numpy", "pandas", "scikit-learn")  # which the notebooks import
_KERNEL = ("ipykernel", *LIBRARIES)
PACKAGES = {
    "papermill": ("papermill", *_KERNEL),
    "millrun": ("millrun", *_KERNEL),
    "nbclient": ("nbclient", "nbformat", *_KERNEL),
    "ploomber-engine": ("ploomber-engine", *_KERNEL),
    "execnb": ("execnb", *LIBRARIES),
    "submitit": ("submitit", *LIBRARIES),
    "jupytext": ("jupytext",),
}
PROGRAMS = {"task-spooler": ("tsp", "-V"), "tmux": ("tmux", "-V")}  # of the system
TORCH = "torch"
STAMP = "requirements"  # in an environment that is complete: what was asked for
SLOW_NETWORK = 900  # seconds that an installation may take

# Loops in one process: argv[1] runs. The last line is how long all of them took, without imports.
LOOPS = {
    "papermill": """
import sys, time, papermill
began = time.perf_counter()
for number in range(int(sys.argv[1])):
    papermill.execute_notebook("it.ipynb", f"out-{number}.ipynb", progress_bar=False,
        request_save_on_cell_execute=False, autosave_cell_every=0)
print(time.perf_counter() - began)
""",
    "millrun": """
import sys, time, millrun
began = time.perf_counter()
sets = [{"number": str(number)} for number in range(int(sys.argv[1]))]
millrun.execute_run("it.ipynb", sets, output_dir="out", prepend=["number"],
    use_multiprocessing=True)
print(time.perf_counter() - began)
""",
    "nbclient": """
import sys, time, nbformat
from nbclient import NotebookClient
began = time.perf_counter()
for number in range(int(sys.argv[1])):
    notebook = nbformat.read("it.ipynb", as_version=4)
    NotebookClient(notebook).execute()
    nbformat.write(notebook, f"out-{number}.ipynb")
print(time.perf_counter() - began)
""",
    "ploomber-engine": """
import sys, time
from ploomber_engine import execute_notebook
began = time.perf_counter()
for number in range(int(sys.argv[1])):
    execute_notebook("it.ipynb", output_path=f"out-{number}.ipynb",
        progress_bar=False, verbose=False)
print(time.perf_counter() - began)
""",
    "execnb": """
import sys, time
from execnb.shell import CaptureShell
began = time.perf_counter()
for number in range(int(sys.argv[1])):
    CaptureShell().execute("it.ipynb", f"out-{number}.ipynb")
print(time.perf_counter() - began)
""",
    # Its local executor has no queue: two at a time is two that are waited for.
    "submitit": """
import sys, time, submitit
from submitit.helpers import CommandFunction
began = time.perf_counter()
executor = submitit.LocalExecutor(folder="submitit")
work = CommandFunction([sys.argv[2], "-u", "it.py"], verbose=False)
for _ in range(int(sys.argv[1]) // 2):
    for job in [executor.submit(work), executor.submit(work)]:
        job.result()
print(time.perf_counter() - began)
""",
}


@dataclass
class Peers:
    """Which peers are there, their versions, and why the others are not."""

    folder: Path
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether it can be run."""
        return name in self.versions

    def program(self, name: str, program: str = "python") -> str:
        """A program of its environment."""
        return str(self.folder / name / "bin" / program)

    def install(self, names: list[str]) -> None:
        """Install them where they are not yet; what can't be had is noted as missing."""
        for name in names:
            try:
                self.versions[name] = self._installed(name, PACKAGES[name], _by_uv)
            except (subprocess.SubprocessError, OSError) as error:
                self.missing[name] = why(error)
        for name, argv in PROGRAMS.items():
            try:
                self.versions[name] = _said(*argv).split(" - ")[0].split()[-1]
            except (subprocess.SubprocessError, OSError):
                self.missing[name] = f"no {argv[0]} on the PATH"

    def install_torch(self, requirement: str) -> None:
        """An environment for the torch row: asked for (`--torch`), or there from an earlier run.

        With pip, which unlike uv heeds the folders of wheels that a machine is set up with.
        """
        stamp = self.folder / TORCH / STAMP
        if not requirement and not stamp.exists():
            self.missing[TORCH] = "left out; scripts/bench --torch torch installs it"
            return
        try:
            wanted = requirement or stamp.read_text().split("\n")[0]
            packages = (wanted, "ipython", "numpy")
            self.versions[TORCH] = self._installed(TORCH, packages, _by_pip)
        except (subprocess.SubprocessError, OSError) as error:
            self.missing[TORCH] = why(error)

    def _installed(
        self,
        name: str,
        packages: tuple[str, ...],
        make: Callable[[Path, tuple[str, ...]], list[list[str]]],
    ) -> str:
        """Its version; its environment is made where it is not what is wanted."""
        place, wanted = self.folder / name, "\n".join(packages)
        stamp = place / STAMP
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(place, ignore_errors=True)
            for argv in make(place, packages):
                _said(*argv)
            stamp.write_text(wanted)
        ask = f"from importlib.metadata import version; print(version({name!r}))"
        return _said(self.program(name), "-c", ask)


def cache() -> Path:
    """Where the environments lie: $NBBG_BENCH_CACHE, or in the user's cache folder."""
    if named := os.environ.get("NBBG_BENCH_CACHE"):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nbbg-bench"


def why(error: Exception) -> str:
    """The last line of what a program said before it failed."""
    said = getattr(error, "stderr", None) or str(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]


def _by_uv(place: Path, packages: tuple[str, ...]) -> list[list[str]]:
    uv = str(Path(sys.executable).with_name("uv"))
    python = str(place / "bin" / "python")
    return [
        [uv, "venv", "--quiet", "--python", sys.executable, str(place)],
        [uv, "pip", "install", "--quiet", "--python", python, *packages],
    ]


def _by_pip(place: Path, packages: tuple[str, ...]) -> list[list[str]]:
    python = str(place / "bin" / "python")
    return [
        [sys.executable, "-m", "venv", str(place)],
        [python, "-m", "pip", "install", "-qq", *packages],
    ]


def _said(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=SLOW_NETWORK)
    return done.stdout.strip()
