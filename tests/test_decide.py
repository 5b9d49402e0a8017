"""What a supervisor does next, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg.supervisor.decide import Action, Finish, Next, Standing, Start, Stop, Wait, decide

NOW = 100.0
RUNS = st.lists(st.integers(1, 50), unique=True, max_size=8)
TIMES = st.sampled_from([0.0, 50.0, NOW, 101.0, 150.0])
WAITING = st.lists(
    st.builds(Next, st.integers(1, 50), TIMES, TIMES), max_size=8, unique_by=lambda each: each.run
)
STANDING = st.builds(Standing, st.integers(1, 5), TIMES, TIMES, st.integers(0, 4), st.just(3))


def held(jobs: int, how: str, at: float) -> Standing:
    """A batch that was stopped or paused at that time; at 0 neither."""
    return Standing(jobs, at, 0.0) if how == "stopped_at" else Standing(jobs, 0.0, at)


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
@pytest.mark.parametrize("how", ["stopped_at", "paused_at"])
def test_table(
    jobs: int, stopped: bool, live: list[int], head: list[int], actions: list[Action], how: str
) -> None:
    """Free places are filled from the head; a stopped or paused batch starts nothing."""
    waiting = [Next(run) for run in head]
    assert decide(held(jobs, how, 5.0 * stopped), live, waiting, NOW) == actions


@pytest.mark.parametrize(
    ("live", "dues", "actions"),
    [
        ([], [130.0], [Wait(130.0)]),
        ([], [130.0, 110.0], [Wait(110.0)]),
        ([], [NOW], [Start(1)]),
        ([], [130.0, 0.0], [Start(2)]),
        ([9], [130.0, 0.0, 0.0], [Start(2)]),
        ([8, 9], [130.0, 0.0], [Wait(130.0)]),
    ],
)
def test_a_run_that_waits_for_its_delay(
    live: list[int], dues: list[float], actions: list[Action]
) -> None:
    """It is not started before its time, holds up nobody else, and the wait ends in time for it."""
    head = [Next(position, due=due) for position, due in enumerate(dues, 1)]
    assert decide(Standing(jobs=2), live, head, NOW) == actions


@pytest.mark.parametrize("how", ["stopped_at", "paused_at"])
def test_what_was_queued_after_the_stop_is_started(how: str) -> None:
    """A person who names a run of a stopped or paused batch means it."""
    head = [Next(1, queued_at=4.0), Next(2, queued_at=6.0), Next(3)]
    assert decide(held(2, how, 5.0), [], head, NOW) == [Start(2)]


@pytest.mark.parametrize(
    ("failures", "limit", "head", "actions"),
    [
        (2, 3, [Next(1)], [Start(1)]),
        (3, 3, [Next(1)], [Stop("3 runs failed (--max-failures 3)")]),
        (3, 3, [Next(1, due=200.0)], [Stop("3 runs failed (--max-failures 3)")]),
        (3, 3, [], [Finish()]),
        (9, 0, [Next(1)], [Start(1)]),
    ],
)
def test_too_many_failures(
    failures: int, limit: int, head: list[Next], actions: list[Action]
) -> None:
    """The batch is stopped when so many have failed, if there is anything left to stop."""
    assert decide(Standing(1, failures=failures, max_failures=limit), [], head, NOW) == actions


def test_a_machine_without_room_is_waited_for() -> None:
    """No more is started than there is room for, and nobody leaves while something waits."""
    head = [Next(1), Next(2), Next(3)]
    assert decide(Standing(3), [], head, NOW, free=2) == [Start(1), Start(2)]
    assert decide(Standing(3), [], head, NOW, free=0) == [Wait()]
    assert decide(Standing(1), [], head, NOW, free=2) == [Start(1)]


@given(STANDING, RUNS, WAITING, st.none() | st.integers(0, 3))
def test_it_always_goes_on_or_ends(
    batch: Standing, live: list[int], head: list[Next], free: int | None
) -> None:
    """Something is done always: never too much, too early, or of what is held; and it ends."""
    actions = decide(batch, live, head, NOW, free)
    started = {action.run for action in actions if isinstance(action, Start)}
    may = {each.run for each in head if not batch.held_at or each.queued_at > batch.held_at}
    assert actions
    assert started <= may & {each.run for each in head if each.due <= NOW}
    assert len(live) + len(started) <= max(batch.jobs, len(live))
    assert free is None or len(started) <= free
    assert all(action.until is None or action.until > NOW for action in _waits(actions))
    burnt = batch.failures >= 3 and not batch.held_at and bool(head)
    assert isinstance(actions[0], Stop) == burnt
    assert burnt or (actions == [Finish()]) == (not live and not may)


def _waits(actions: list[Action]) -> list[Wait]:
    return [action for action in actions if isinstance(action, Wait)]
