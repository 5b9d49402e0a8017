"""Printing for every command: JSON documents, and talk on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any


def document(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Talk, on stderr."""
    print(text, file=sys.stderr)
