"""`nbbg wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import model
from nbbg.cli import output, progress, reading
from nbbg.errors import UsageError
from nbbg.ops import reports, selection
from nbbg.settings import values
from nbbg.store import changes

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Wait until the runs have ended; the exit code says how."""
    timeout = None if arguments.timeout is None else _seconds(arguments.timeout)
    where = reading.here()
    with reading.index(where) as index:
        numbers = selection.numbers(index, arguments.ids)
        for number in index.batches_of(numbers):
            paused_by = changes.read(where.store.batch(number), index.batch(number)).paused_by
            if paused_by and model.AT_WORK & index.counts(number).keys():
                output.say(f"b{number} is paused by {paused_by}: nbbg resume b{number}")
    code = progress.wait(where, numbers, timeout)
    if arguments.json:
        with reading.index(where) as index:
            found = [run for number in numbers if (run := index.run(number))]
            output.document([reports.of_run(run).to_json() for run in found])
    return code


def _seconds(text: str) -> float:
    """As for the limits of a run; and 0, to look without waiting."""
    try:
        return 0.0 if text == "0" else values.duration(text)
    except ValueError as error:
        message = f"--timeout {text}: {error}"
        raise UsageError(message) from error
