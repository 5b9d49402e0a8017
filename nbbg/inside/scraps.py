"""What notebooks record in outputs, as scrapbook's `glue` and papermill's old `record` do.

Numbers, bools and short texts are metrics of the run, as if they had been given to `nbbg.log`; all
else stays in the notebook alone. Runs in the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

from typing import Any, Mapping

from nbbg.inside import metrics, values

GLUED = "application/scrapbook.scrap.%s+json"
RECORDED = "application/papermill.record+json"
MIMES = frozenset((GLUED % "json", GLUED % "text", RECORDED))
_LONGEST = 1000  # characters of a text


def record(data: Mapping[str, Any]) -> None:
    """Add what an output's data hold to the metrics of this attempt; outside a run, nothing."""
    found: dict[Any, Any] = {}
    for mime in MIMES & data.keys():
        content = data[mime]
        if isinstance(content, dict):
            glued = {content.get("name"): content.get("data")}
            found.update(content if mime == RECORDED else glued)
    taken = {name: value for name, value in found.items() if _is_metric(name, value)}
    if taken:
        metrics.append({"step": None, "values": taken})


def _is_metric(name: Any, value: Any) -> bool:
    long = isinstance(value, str) and len(value) > _LONGEST
    return isinstance(name, str) and isinstance(value, values.PLAIN) and not long
