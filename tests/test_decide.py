"""What a supervisor does next, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg.supervisor.decide import Action, Finish, Next, Start, Wait, decide

RUNS = st.lists(st.integers(1, 50), unique=True, max_size=8)


@pytest.mark.parametrize(
    ("jobs", "stopped", "live", "head", "actions"),
    [
        (1, False, [], [], [Finish()]),
        (1, False, [], [1], [Start(1)]),
        (1, False, [], [1, 2], [Start(1)]),
        (2, False, [], [1, 2, 3], [Start(1), Start(2)]),
        (2, False, [1], [2, 3], [Start(2)]),
        (2, False, [1, 2], [3], [Wait()]),
        (1, False, [1], [], [Wait()]),
        (1, False, [1, 2], [3], [Wait()]),  # more than its jobs, taken over from another
        (1, True, [], [1], [Finish()]),
        (3, True, [1], [2, 3], [Wait()]),
    ],
)
def test_table(
    jobs: int, stopped: bool, live: list[int], head: list[int], actions: list[Action]
) -> None:
    """Free places are filled from the head of the queue, and a stopped batch starts nothing."""
    waiting = [Next(run) for run in head]
    assert decide(jobs, stopped_at=5.0 * stopped, live=live, head=waiting) == actions


def test_what_was_queued_after_the_stop_is_started() -> None:
    """A person who names a run of a stopped batch means it."""
    head = [Next(1, queued_at=4.0), Next(2, queued_at=6.0), Next(3)]
    assert decide(2, stopped_at=5.0, live=[], head=head) == [Start(2)]


@given(st.integers(1, 5), st.booleans(), RUNS, RUNS)
def test_it_always_goes_on_or_ends(
    jobs: int, stopped: bool, live: list[int], head: list[int]
) -> None:
    """There is always something to do, never more than the jobs, and an end when all is over."""
    waiting = [Next(run) for run in head]
    actions = decide(jobs, stopped_at=5.0 * stopped, live=live, head=waiting)
    started = [action for action in actions if isinstance(action, Start)]
    assert actions
    assert len(live) + len(started) <= max(jobs, len(live))
    assert (actions == [Finish()]) == (not live and (stopped or not head))
