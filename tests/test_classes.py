"""Values without generated code behave as those of `dataclasses`, which mypy takes them for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from nbbg import classes, model

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = model.Planned(7, "train", 3, 45)


def pair(decorate: Callable[..., Any], field: Callable[..., Any]) -> tuple[type, type]:
    """A frozen class, and one that inherits from it, made by either module."""

    @decorate(frozen=True)
    class Base:
        name: str
        kind: ClassVar[str] = "base"
        hidden: int = field(default_factory=int, repr=False)

    @decorate(frozen=True)
    class Child(Base):
        more: tuple[int, ...] = ()

    return Base, Child


OURS, THEIRS = (pair(each.dataclass, each.field) for each in (classes, dataclasses))


@pytest.mark.parametrize("which", [0, 1])
def test_a_value_is_as_of_dataclasses(which: int) -> None:
    """Fields, defaults, text, equality and hash are the same, and so is what is inherited."""
    ours, theirs = OURS[which], THEIRS[which]
    assert [f.name for f in classes.fields(ours)] == [f.name for f in dataclasses.fields(theirs)]
    for given in (("a",), ("a", 2)):
        mine, other = ours(*given), theirs(*given)
        assert repr(mine) == repr(other)
        assert classes.asdict(mine) == dataclasses.asdict(other)
        assert mine == ours(*given) != ours("b")
        assert hash(mine) == hash(ours(*given))
        assert mine != other
        assert classes.replace(mine, name="c") == ours("c", *given[1:])
    assert vars(ours)["__match_args__"] == vars(theirs)["__match_args__"]


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), (("a",), {"name": "b"}), (("a",), {"x": 1}), ((1,) * 9, {})]
)
def test_what_is_missing_or_too_much_is_refused(given: Any, named: Any) -> None:
    """A value is made of its fields, each given once, as a record that was read shows."""
    for kind in (OURS[1], THEIRS[1]):
        with pytest.raises(TypeError):
            kind(*given, **named)


def test_a_frozen_value_stays_as_it_is() -> None:
    """Nothing changes it, and copies and pickles of it are equal to it."""
    with pytest.raises(AttributeError, match="frozen"):
        RUN.number = 4  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del RUN.number
    assert pickle.loads(pickle.dumps(RUN)) == copy.deepcopy(RUN) == RUN  # noqa: S301 - ours
    assert not hasattr(RUN, "__dict__")


def test_dataclasses_takes_them_for_its_own() -> None:
    """What others do with dataclasses, such as a table of them, works with these."""
    assert dataclasses.is_dataclass(RUN)
    assert dataclasses.asdict(RUN) == classes.asdict(RUN)
    assert dataclasses.replace(RUN, seed=1) == model.Planned(7, "train", 3, 1)
