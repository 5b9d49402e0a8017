"""`nbbg wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import output, progress, reading
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import reports, selection

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Wait until the runs have ended; the exit code says how."""
    if arguments.timeout is not None and not arguments.timeout >= 0:
        message = f"--timeout {arguments.timeout}: a number of seconds"
        raise UsageError(message)
    where = reading.here()
    with Index(where.store) as index:
        numbers = selection.numbers(index, arguments.ids)
    code = progress.wait(where, numbers, arguments.timeout)
    if arguments.json:
        with Index(where.store) as index:
            found = [run for number in numbers if (run := index.run(number))]
            output.document([reports.of_run(run).to_json() for run in found])
    return code
