"""What to say of a word that means nothing here: the nearest that does.

A tired person types `nbbg log 7`, `--lr 0.1` or `--job 2`; the answer is the line to type instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def command(typed: str, known: Collection[str]) -> str:
    """The message about a command that there is not."""
    likely = nearest(typed, known)
    hint = f"; did you mean {likely}?" if likely else f" (there are {', '.join(known)})"
    return f"there is no command {typed}{hint}"


def unknown(left: Sequence[str], options: Collection[str]) -> str:
    """The message about words that a command can't take; the first option among them counts."""
    position = next((at for at, word in enumerate(left) if word.startswith("-")), None)
    if position is None:
        return f"one too many: {left[0]}"
    name, equals, value = left[position].partition("=")
    likely = nearest(name.strip("-"), [each[2:] for each in options if each.startswith("--")])
    if likely:
        return f"there is no option {name}; did you mean --{likely}?"
    if "-p" not in options:
        return f"there is no option {name}"
    given = value if equals else next(iter(left[position + 1 :]), "VALUE")
    return f"there is no option {name}\na parameter: -p {name.strip('-')}={given}"


def nearest(typed: str, known: Collection[str]) -> str:
    """The most similar, or what begins so; nothing where none is near."""
    import difflib

    longer = [each for each in known if len(typed) > 1 and each.startswith(typed)]
    return next(iter(longer or difflib.get_close_matches(typed, known, n=1)), "")
