"""Takes every figure in one run and writes `docs/benchmarks.md`, with the machine and the date."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import nbbg
from bench import cases, measure, place

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Measure, write, and leave nothing behind."""
    began, load = time.time(), os.getloadavg()[0]
    top = Path(tempfile.mkdtemp(prefix="nbbg-bench-"))
    try:
        text = (HERE / "page.md").read_text()
        page = text.format(
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            rounds=measure.ROUNDS,
            machine=_machine(),
            load=load,
            filesystem=_output("stat", "-f", "-c", "%T", str(top)),
            versions=_versions(),
            reading=cases.reading(top),
            launching=cases.launching(top),
            waiting=cases.waiting(top),
            minutes=(time.time() - began) / 60,
        )
    finally:
        place.remove(top)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page)
    print(page)


def _machine() -> str:
    model = _output("sed", "-n", "s/^model name.*: //p", "/proc/cpuinfo").partition("\n")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpus = len(os.sched_getaffinity(0))
    return f"{cpus} CPUs ({model or platform.machine()}), {memory:.0f} GiB, {platform.platform()}"


def _versions() -> str:
    python, ipython = platform.python_version(), version("ipython")
    said = f"nbbg {nbbg.__version__}, Python {python}, IPython {ipython}"
    return f"{said}, SQLite {sqlite3.sqlite_version}, {_output('tmux', '-V') or 'no tmux'}"


def _output(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
