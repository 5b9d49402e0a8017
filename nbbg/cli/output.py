"""Printing for every command: JSON documents, and talk on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from nbbg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def document(value: Any, file: TextIO | None = None) -> None:
    """One JSON document, on stdout where no file is given."""
    print(json.dumps(value, indent=2, ensure_ascii=False), file=file)


def new_file(name: str, option: str) -> TextIO:
    """A new file for data; one that is there is not replaced.

    Raises:
        UsageError: there is such a file, or none can be made; the message names the option.
    """
    try:
        return open(name, "x", newline="", encoding="utf-8")
    except FileExistsError as error:
        message = f"{name} is there already\nanother name, or remove it first"
        raise UsageError(message) from error
    except OSError as error:
        raise UsageError(f"{option} {name}: {error.strerror}") from error


def say(text: str) -> None:
    """Talk, on stderr."""
    from nbbg import screen

    print(screen.without_escapes(text), file=sys.stderr)


def stream(lists: Mapping[str, Iterable[Any]]) -> None:
    """One JSON document of lists on stdout, written as their items come, however many."""
    opening = "{"
    for name, items in lists.items():
        print(f'{opening}\n  "{name}": [', end="")
        opening, separator = ",", ""
        for item in items:
            text = json.dumps(item, indent=2, ensure_ascii=False).replace("\n", "\n    ")
            print(f"{separator}\n    {text}", end="")
            separator = ","
        print("\n  ]" if separator else "]", end="")
    print("\n}")
