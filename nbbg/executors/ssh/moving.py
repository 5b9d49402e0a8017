"""Dealing what waits anew: only what a host confirms it has given back goes to another."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from nbbg.errors import NbbgError
from nbbg.executors.ssh import answers, asked, carrying, setup
from nbbg.store import hosts, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


def move(batch: Path, waiting: Collection[int], names: Sequence[str]) -> list[str]:
    """Deal runs that were never started by turns to these hosts; why some stay where they are.

    What is dealt is not handed over yet.
    """
    troubles: list[str] = []
    gave: list[str] = []
    with submissions.alone(batch):
        made = submissions.whole(batch)
        moved: dict[str, list[int]] = {name: [] for name in names}
        for old, runs in _leaving(made, waiting, names).items():
            try:
                given = _given_back(batch, old, list(runs), made)
            except NbbgError as fault:
                troubles.append(f"{fault}\nwhat waits there stays its own")
                continue
            gave += [old] if given else []
            for run in given:
                moved[runs[run]].append(run)
        for name, some in moved.items():
            if some:
                submissions.intend(batch, name, some, to=name)
        for old in gave:
            _tell(batch, old)
    return troubles


def _tell(batch: Path, name: str) -> None:
    """Have a host know where its runs went, for whoever adopts the batch from there."""
    if not hosts.given_up(batch.parents[1], name)[1]:
        with contextlib.suppress(NbbgError, OSError):
            host = hosts.read(batch.parents[1], name)
            request = {**asked.about(batch), "runs": (), "deals": carrying.deals(batch)}
            setup.ask(host, "give-back", request)


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


def _given_back(
    batch: Path, name: str, runs: Sequence[int], made: Sequence[submissions.Submission]
) -> list[int]:
    store = batch.parents[1]
    if hosts.given_up(store, name)[1]:
        return list(runs)
    host = hosts.read(store, name)
    request = {
        **asked.about(batch),
        "runs": submissions.ranges(runs),
        "until": max((each.number for each in made), default=0),
    }
    answer = setup.ask(host, "give-back", request)
    given = answers.ranges(host, answer["given"])
    return [run for run in runs if submissions.has(given, run)]
