"""Markdown tables of what is kept, and how figures are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import MEGABYTES, SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.kept import Kept, Row, Table
    from bench.measure import Middle

NONE = "-"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def digits(value: float) -> str:
    """A number with about three digits that count."""
    size = abs(value)
    if size >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"  # noqa: PLR2004


def ms(value: float) -> str:
    """Seconds as ms."""
    return digits(1000 * value) if value < 0.01 else f"{1000 * value:,.0f}"  # noqa: PLR2004


def spread(found: Middle | None, *, times: bool = False) -> str:
    """A median with its interval: a ratio or the like, or seconds written as ms."""
    if found is None:
        return NONE
    write = digits if times else ms
    if found.low == found.high:
        return write(found.value)
    return f"{write(found.value)} ({write(found.low)} to {write(found.high)})"


def figure(kept: Kept, key: str, name: str, what: str = SECONDS) -> str:
    """The median of one case: seconds in ms, all else as it is."""
    row = kept.table(key).rows.get(name)
    found = row and row.middle(what)
    if not found:
        return "failed" if row and row.error else NONE
    return ms(found.value) if what == SECONDS else digits(found.value)


def beside(kept: Kept, key: str, base: str, *, memory: str = "") -> str:
    """Each case of a table beside its base, then how it was taken and what was typed.

    Args:
        kept: what was measured.
        key: the table.
        base: the case whose times the others are told in.
        memory: the table of other rounds that has the megabytes of the same cases.
    """
    table = kept.table(key)
    if not table.rows:
        return absent(kept, key)
    goes = any(row.runs > 1 for row in table.rows.values())
    head = ("", "ms a run" if goes else "ms", "times", *(["MB"] if memory else []))
    lines = [
        (
            name,
            spread(row.middle()) if not row.error else "failed",
            spread(table.ratio(name, base), times=True) if name != base else "1",
            *([figure(kept, memory, name, MEGABYTES)] if memory else []),
            *([f"{row.runs:,}"] if goes else []),
        )
        for name, row in table.rows.items()
    ]
    rows = markdown((*head, *(["runs a go"] if goes else [])), lines)
    return "\n".join([rows, "", how(table), *typed(table)])


def code(text: str) -> str:
    """A text as inline code, whatever is in it."""
    return f"`{text.replace('`', chr(39))}`"


def how(table: Table) -> str:
    """When and how often, and what failed."""
    failed = [f"{name}: {row.error}" for name, row in table.rows.items() if row.error]
    said = f"{_times(table.rounds)} on {table.date}, load when it began {table.load:.1f}."
    return " ".join([said, *(f"Failed: {code(each)}." for each in failed)])


def typed(table: Table) -> list[str]:
    """The commands, folded away."""
    lines = [f"{_plain(name)}\n    {_once(row)}" for name, row in table.rows.items() if row.typed]
    if not lines:
        return []
    opening = ["", "<details><summary>as typed</summary>", "", "```"]
    return [*opening, *lines, "```", "", "</details>"]


def absent(kept: Kept, key: str) -> str:
    """Why a table is not there."""
    name = key.rpartition("/")[2]
    for part in (key, key.partition("/")[0], name):
        if part in kept.missing:
            return f"Not measured: {code(kept.missing[part])}."
    return "Not measured."


def _once(row: Row) -> str:
    return row.typed.replace("\n", "\n    ")


def _plain(name: str) -> str:
    return name.replace("`", "").replace("\\*", "*")


def _times(rounds: int) -> str:
    return "One round" if rounds == 1 else f"Median of {rounds} rounds with its interval"
