"""Which values of an environment are secrets, and how they are hidden.

A value of 8 or more characters whose name says so. Runs in the user's own interpreter: standard
library, Python 3.8.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHORTEST = 8
NAMED = "NBBG_SECRETS"  # more names, separated by commas
_SAYS_SO = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|DSN", re.IGNORECASE)


def names(environment: Mapping[str, str]) -> set[str]:
    """The names in an environment whose values are secrets."""
    also = {name.strip() for name in environment.get(NAMED, "").split(",")}
    return {
        name
        for name, value in environment.items()
        if len(value) >= SHORTEST and (name in also or _SAYS_SO.search(name))
    }


def values(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The secret values of an environment, longest first."""
    return sorted({environment[name] for name in names(environment)}, key=len, reverse=True)


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced by as many `*`."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, "*" * len(secret))
    return text
