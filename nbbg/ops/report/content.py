"""What a report holds: plain text throughout, which `page` escapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.classes import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Link:
    """A cell of a table that leads to a file."""

    text: str
    address: str  # relative to the report, and quoted


@dataclass(frozen=True)
class Table:
    """A table, perhaps only the beginning of one."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Link]]
    numbers: Sequence[str] = ()  # columns that are aligned to the right
    about: str = ""  # a sentence below it, such as what it leaves out


@dataclass(frozen=True)
class Picture:
    """An image, and how to read it."""

    name: str
    caption: str
    kind: str  # "png" or "svg+xml"
    width: int  # on the page, in CSS pixels
    data: bytes


@dataclass(frozen=True)
class Facts:
    """What is known of one thing: names and values; and long ones, folded."""

    title: str
    pairs: Sequence[tuple[str, str]]
    folded: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Failure:
    """A run that did not succeed, for all that ended in the same words."""

    title: str
    reason: str
    parts: Sequence[tuple[str, str]]  # name, text of several lines: the cell, the traceback


@dataclass(frozen=True)
class Report:
    """The whole of it."""

    title: str
    about: str
    verdict: Sequence[str] = ()
    warnings: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[tuple[str, Table]] = ()  # by title
    failures: Sequence[Failure] = ()
    facts: Sequence[Facts] = ()
    left_out: Sequence[str] = field(default_factory=list)  # sentences on what is not told
