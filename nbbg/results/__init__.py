"""What came out of runs: their values as tables, orders and samples, and what can be claimed.

`nbbg.results` is this package, and can be called: `nbbg.results("b3")` is `records.results`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbbg.results.records import Records


class _Results(ModuleType):
    """A package that can be called, so that its name in `nbbg` is both."""

    def __call__(self, *ids: str | int, **options: Any) -> Records:
        from nbbg.results import records

        return records.results(*ids, **options)


results = sys.modules[__name__]
results.__class__ = _Results
