"""Values of the user's as plain ones: what NumPy, torch and their kin wrap is taken out."""

from __future__ import annotations

import decimal
import json
import numbers
from typing import Any

PLAIN = (bool, int, float, str)


def plain(value: Any) -> Any:
    """The number, bool or text that `value` is or wraps.

    Raises:
        TypeError: it is none, or it holds several.
    """
    if not isinstance(value, PLAIN):
        value = _unwrapped(value)
    if isinstance(value, PLAIN):
        return value
    raise TypeError(type(value).__name__)


def as_json(value: Any) -> Any:
    """What JSON makes of a value: a tuple becomes a list, a NumPy number a number.

    Raises:
        TypeError, ValueError: JSON has nothing for it.
    """
    return json.loads(json.dumps(value, default=plain))


def _unwrapped(value: Any) -> Any:
    if isinstance(value, (numbers.Real, decimal.Decimal)) and not hasattr(value, "item"):
        return float(value)
    if not hasattr(value, "item") and hasattr(value, "numpy"):  # as in TensorFlow
        value = value.numpy()
    if hasattr(value, "item"):
        try:
            return value.item()
        except (TypeError, ValueError, RuntimeError):  # more than one element
            return value
    return value
