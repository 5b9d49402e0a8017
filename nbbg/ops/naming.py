"""Names of arms, the shortest that no other arm of the project has; and of their outputs. Pure."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

LONGEST = 120  # bytes of a path's part
LABEL = 40  # characters of a value in a name


def shortest(notebook: str, params: Mapping[str, Any], seed: int, taken: AbstractSet[str]) -> str:
    """The shortest name of an arm that is not taken: `train`, `train/lr=0.1`, `sub/train`, ..."""
    return next(name for name in _candidates(notebook, params, seed) if name not in taken)


def output(root: PurePath, notebook: str, arm: str) -> str:
    """Where an arm's executed notebooks go, with `{number}` for the run number."""
    stem = PurePath(notebook).stem
    rest = safe(arm.removeprefix(stem).lstrip("/"))
    name = f"{stem}_{rest}" if rest else stem
    return str(root / "outputs" / stem / rest / f"{name}_{{number}}.ipynb")


def safe(text: str) -> str:
    """The text as one part of a path; a long one is cut, and still told from others."""
    part = re.sub(r"[^\w=.,+@-]+", "_", text).strip("._")
    if len(part.encode()) <= LONGEST:
        return part
    short = hashlib.sha256(part.encode()).hexdigest()[:8]
    return f"{part.encode()[: LONGEST - 9].decode(errors='ignore')}_{short}"


def _candidates(notebook: str, params: Mapping[str, Any], seed: int) -> Iterator[str]:
    path = PurePath(notebook)
    given = ",".join(f"{name}={_label(value)}" for name, value in sorted(params.items()))
    tail = f"/{given}" if given else ""
    for stem in (path.stem, path.with_suffix("").as_posix().lstrip("/"), path.as_posix()):
        yield stem + tail
        if seed:
            yield f"{stem}{tail}/seed={seed}"
    for number in itertools.count(2):
        yield f"{path.stem}{tail}/{number}"


def _label(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LABEL else text[: LABEL - 3] + "..."
