"""Dealing what waits anew: only what a host confirms it has given back goes to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.errors import NbbgError
from nbbg.executors.ssh import setup
from nbbg.store import hosts, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


def move(batch: Path, waiting: Collection[int], names: Sequence[str]) -> list[str]:
    """Deal runs that were never started by turns to these hosts; why some stay where they are.

    What is dealt is not handed over yet.
    """
    store, troubles = batch.parents[1], []
    with submissions.alone(batch):
        made = submissions.of(batch)
        moved: dict[str, list[int]] = {name: [] for name in names}
        for old, runs in _leaving(made, waiting, names).items():
            try:
                given = _given_back(store, old, int(batch.name), list(runs))
            except NbbgError as fault:
                troubles.append(f"{fault}\nwhat waits there stays its own")
                continue
            for run in given:
                moved[runs[run]].append(run)
        for name, some in moved.items():
            if some:
                submissions.intend(batch, name, some, to=name)
    return troubles


def _leaving(
    made: Sequence[submissions.Submission], waiting: Collection[int], names: Sequence[str]
) -> dict[str, dict[int, str]]:
    """Of each host the runs that it is to give back, with where they go."""
    found: dict[str, dict[int, str]] = {}
    for index, run in enumerate(sorted(waiting)):
        old, new = submissions.host_of(made, run), names[index % len(names)]
        if old and old != new:
            found.setdefault(old, {})[run] = new
    return found


def _given_back(store: Path, name: str, batch: int, runs: Sequence[int]) -> list[int]:
    if hosts.given_up(store, name)[1]:
        return list(runs)
    host = hosts.read(store, name)
    request = {"token": hosts.token(store), "batch": batch, "runs": submissions.ranges(runs)}
    answer = setup.ask(host, "give-back", request)
    return list(submissions.each(answer["given"]))
