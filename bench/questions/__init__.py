"""One module a question: what is measured for it, and what its part of the page says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bench.questions import (
    alive,
    cold,
    convert,
    elsewhere,
    launching,
    loops,
    outputs,
    plans,
    reading,
    results,
    spent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.pictures import Drawing


class Question(Protocol):
    """A module that measures and tells."""

    TITLE: str

    def measure(self, bench: Bench) -> None:
        """Take its tables."""
        ...

    def tell(self, kept: Kept) -> str:
        """Its part of the page: Markdown without its title."""
        ...

    def draw(self, kept: Kept) -> Sequence[Drawing]:
        """Its pictures, which its part of the page names."""
        ...


ALL: dict[str, Question] = {
    "loops": loops,
    "cold": cold,
    "launching": launching,
    "reading": reading,
    "plans": plans,
    "outputs": outputs,
    "alive": alive,
    "spent": spent,
    "convert": convert,
    "results": results,
    "elsewhere": elsewhere,
}
