"""The page `docs/benchmarks.md` and its pictures, from what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import aims, pictures, questions, tables

if TYPE_CHECKING:
    from pathlib import Path

    from bench.kept import Kept

NAME, PICTURES, FIGURES = "benchmarks.md", "benchmarks", "figures.json"
_TOP = """# What nbbg costs

Written by `scripts/bench`, which takes all figures on one machine; run it on yours. The cases of a
table take turns, one go of each in every round, so that whatever else the machine does meets all of
them. A figure is the median of its rounds, and *times* the median of the ratios to the table's
base, round by round. In brackets stands an interval that holds the true median in 95 % of
repetitions (of order statistics; of fewer than 6 rounds it is the range). Every round's figures are
in [figures.json](benchmarks/figures.json).

| | |
| --- | --- |
{facts}

Each peer has an environment of its own and is run as its documentation says, at the settings that
make it fastest there; the commands stand below each table.{missing}

## Aims

{aims}
"""


def write(kept: Kept, folder: Path) -> Path:
    """Write the page and its pictures below a folder; where the page is."""
    drawings = [aims.draw(kept), *(d for q in questions.ALL.values() for d in q.draw(kept))]
    drawn = {each.name for each in drawings if pictures.save(each, folder / PICTURES)}
    parts = [_TOP.format(facts=_facts(kept), missing=_missing(kept), aims=_aims(kept))]
    for name, question in questions.ALL.items():
        said = kept.missing.get(name)
        failed = f"\nNot all of it could be measured: {tables.code(said)}\n" if said else ""
        told = question.tell(kept) if _is_there(kept, name) else "Not measured."
        parts.append(f"## {question.TITLE}\n{failed}\n{told}\n")
    path = folder / NAME
    path.write_text(_without_pictures("\n".join(parts), drawn))
    return path


def _is_there(kept: Kept, name: str) -> bool:
    return any(key.partition("/")[0] == name for key in kept.tables)


def _aims(kept: Kept) -> str:
    return "\n".join(["![Does nbbg meet its aims?](benchmarks/aims.svg)", "", aims.tell(kept)])


def _facts(kept: Kept) -> str:
    minutes = {"measured in": f"{kept.seconds / 60:.0f} minutes"}
    found = kept.machine | kept.versions | minutes
    return "\n".join(f"| {name} | {value} |" for name, value in found.items())


def _missing(kept: Kept) -> str:
    peers = {name: why for name, why in kept.missing.items() if name not in questions.ALL}
    if not peers:
        return ""
    return (
        "\n\nNot there: "
        + "; ".join(f"{name} ({tables.code(why)})" for name, why in peers.items())
        + "."
    )


def _without_pictures(text: str, drawn: set[str]) -> str:
    """The text without the lines that name pictures for which nothing was measured."""
    lines = text.splitlines()
    kept = [line for line in lines if not line.startswith("![") or _named(line) in drawn]
    return "\n".join(kept).strip() + "\n"


def _named(line: str) -> str:
    return line.rpartition("/")[2].removesuffix(".svg)")
