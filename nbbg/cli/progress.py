"""The bar of `run --wait` and `wait`. A view: Ctrl-C leaves it, and the runs go on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.cli import output, table
from nbbg.errors import Abandoned
from nbbg.index import Index
from nbbg.ops import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbg.ops.project import Project

TIMED_OUT = 124
INTERRUPTED = 130


def wait(where: Project, numbers: Sequence[int], timeout: float | None = None) -> int:
    """Wait for runs under a bar: 0 all succeeded, 1 some did not, 124 timed out, 130 Ctrl-C."""
    from tqdm import tqdm

    unsuccessful = 0
    bar = tqdm(total=len(numbers), unit="run", disable=not sys.stderr.isatty())
    try:
        with Index(where.store) as index, bar:
            for run in waiting.as_they_end(index, numbers, timeout):
                if run.state.word != model.Succeeded.word:
                    unsuccessful += 1
                    bar.write(line(run), file=sys.stderr)
                bar.update()
    except KeyboardInterrupt:
        output.say("\nleft the view; the runs go on\n  nbbg status")
        return INTERRUPTED
    except TimeoutError:
        output.say(f"nbbg: after {timeout:g} s some have not ended; they go on")
        return TIMED_OUT
    except Abandoned as error:
        output.say(f"nbbg: {error}")
        return 1
    if not sys.stderr.isatty():
        output.say(f"{len(numbers) - unsuccessful} of {len(numbers)} succeeded")
    return 1 if unsuccessful else 0


def line(run: model.Run) -> str:
    """A run that did not succeed, and where to look."""
    reason = f": {table.one_line(run.state.reason, 100)}" if run.state.reason else ""
    what = f"run {run.id} ({run.arm.name} {run.number}) {run.state.word}{reason}"
    return f"{what}   nbbg show {run.id}"
