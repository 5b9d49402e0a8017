"""Printing for every command: JSON documents, and talk on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nbbg import screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def document(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Talk, on stderr."""
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
