"""`nbbg status --watch`: on a terminal the picture, drawn anew; elsewhere a line for each change.

Either ends when nothing goes on any more. A look that takes long, since many watch or the machine
is at work, makes the next one come later.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.cli import table
from nbbg.index import Index
from nbbg.ops import asking, selection
from nbbg.store import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbbg.ops.project import Project

UPDATE = 1.0  # seconds
SHARE = 20  # times what a look takes is waited
SELDOM = 5.0  # seconds, at most
PATIENCE = 3.0  # seconds that a supervisor which was just started may take to come


def on_terminal(where: list[Project], names: list[str], draw: Callable[[], None]) -> None:
    """Draw it again and again."""
    for _ in _looks(where, names):
        print("\x1b[H\x1b[2J", end="")
        draw()


def as_lines(where: list[Project], names: list[str]) -> None:
    """What is at work now, and then each change of a state."""
    known: dict[tuple[int, int], str] = {}
    marks: dict[int, int] = {}
    for indexes in _looks(where, names):
        for position, index in enumerate(indexes):
            mark = marks.get(position, index.mark())
            ended = [index.run(number) for number, _ in index.closed_since(mark)]
            marks[position] = index.mark()
            meant = set(selection.numbers(index, names)) if names else None
            for run in (*index.live(), *ended):
                if run and (meant is None or run.id in meant):
                    if known.get((position, run.id)) != run.state.word:
                        print(_line(run), flush=True)
                    known[position, run.id] = run.state.word


def _looks(where: list[Project], names: list[str]) -> Iterator[list[Index]]:
    """The indexes as they are, at each look; the last when nothing goes on any more."""
    with ExitStack() as stack:
        indexes = [stack.enter_context(Index(each.store)) for each in where]
        waits_since = 0.0
        while True:
            began = time.monotonic()
            yield indexes
            at_work, waits = _goes_on(indexes, names)
            waits_since = 0.0 if at_work else waits_since or began
            if not at_work and not (waits and began - waits_since < PATIENCE):
                return
            took = time.monotonic() - began
            time.sleep(min(max(UPDATE, SHARE * took), SELDOM))
            for index in indexes:
                index.refresh()
                asking.refresh(index, fresh=SELDOM)


def _goes_on(indexes: list[Index], names: list[str]) -> tuple[bool, bool]:
    """Whether anything happens by itself, and whether anything waits."""
    at_work = waits = False
    for index in indexes:
        meant = set(selection.numbers(index, names)) if names else None
        live = [run for run in index.live() if meant is None or run.id in meant]
        at_work |= any(isinstance(run.state, model.Running | model.Submitted) for run in live)
        for batch in index.batches():
            waiting = index.counts(batch.id).get(model.Queued.word)
            if waiting and (meant is None or meant & set(range(batch.first, batch.last + 1))):
                waits = True
                at_work |= batches.supervisor_pid(index.store.batch(batch.id)) is not None
    return at_work, waits


def _line(run: model.Run) -> str:
    seconds = run.ended_at - run.started_at if run.ended_at and run.started_at else None
    after = f" after {table.duration(seconds)}" if seconds is not None else ""
    reason = f": {table.one_line(run.state.reason, 100)}" if run.state.reason else ""
    clock = time.strftime("%H:%M:%S")
    return f"{clock} run {run.id} ({run.arm.name} {run.number}) {run.state.word}{after}{reason}"
