"""Plans: read lazily, and searched by bisection, whatever the length of the lines."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbbg.errors import StoreError
from nbbg.model import Planned
from nbbg.store import plans

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

here = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(path: Path, gaps: Sequence[int], lengths: Sequence[int]) -> list[Planned]:
    """Write a plan whose ids rise by `gaps`, with names of these lengths."""
    ids = itertools.accumulate(gaps)
    made = [
        Planned(number, "ä" * length, position, position)
        for position, (number, length) in enumerate(zip(ids, lengths, strict=True), 1)
    ]
    path.write_bytes(plans.to_bytes(made))
    return made


@here
@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 9, 3000])), max_size=40))
def test_every_run_is_found(tmp_path: Path, shape: list[tuple[int, int]]) -> None:
    """Each run of a plan is found by its id, and no other id is."""
    path = tmp_path / "plan.jsonl"
    made = write(path, [gap for gap, _ in shape], [length for _, length in shape])
    assert list(plans.read(path)) == made
    for run in made:
        assert plans.find(path, run.id) == run
    for other in {0, -1, 10**9, *range(1, 400)} - {run.id for run in made}:
        with pytest.raises(StoreError, match=f"has no run {other}"):
            plans.find(path, other)


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_long_and_short_lines(tmp_path: Path, count: int) -> None:
    """Lines of 40 and of 40,000 bytes beside each other are no obstacle."""
    path = tmp_path / "plan.jsonl"
    lengths = [20_000 if index % 50 == 1 else index % 7 for index in range(count)]
    for run in write(path, [1] * count, lengths):
        assert plans.find(path, run.id) == run


def test_a_plan_that_is_none_is_named(tmp_path: Path) -> None:
    """A line that can't be read is an error that names the file."""
    path = tmp_path / "plan.jsonl"
    path.write_bytes(b'{"id": 1}\n')
    with pytest.raises(StoreError, match=r"plan\.jsonl can't be read"):
        plans.find(path, 1)


def test_a_plan_is_read_as_far_as_it_is_asked(tmp_path: Path) -> None:
    """The first runs of a plan are there although a later line can't be read."""
    path = tmp_path / "plan.jsonl"
    first, second = write(path, [1, 1], [1, 1])
    with path.open("ab") as file:
        file.write(b"torn")
    assert list(itertools.islice(plans.read(path), 2)) == [first, second]
