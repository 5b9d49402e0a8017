"""Names of arms, the shortest that no other arm of the project has; and of their outputs. Pure."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

LONGEST = 120  # bytes of a path's part
LABEL = 40  # characters of a value in a name


def shortest(
    notebook: str,
    params: Mapping[str, Any],
    seed: int,
    taken: Container[str],
    told: Mapping[str, Any] | str | None = None,
) -> str:
    """The shortest name of an arm that is not taken: `train`, `train/lr=0.1`, `sub/train`, ...

    Args:
        notebook: its path in the project.
        params: all that it is given.
        seed: the base.
        taken: the names of other arms.
        told: those of its parameters that tell it from the others of its launch, or its label.
    """
    return next(name for name in _candidates(notebook, params, seed, told) if name not in taken)


def usual(
    notebook: str,
    params: Mapping[str, Any],
    seed: int,
    told: Mapping[str, Any] | str | None = None,
) -> set[str]:
    """The names that the arm would have if it were alone: by what is told, and by all."""
    return {shortest(notebook, params, seed, (), each) for each in (told, None)}


def rest(notebook: str, arm: str) -> str:
    """What stands in an arm's name after that of its notebook."""
    stem = PurePath(notebook).stem
    return "" if arm == stem else arm.removeprefix(f"{stem}/")


def short(text: str) -> str:
    """Eight characters that tell a text from others."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


def safe(text: str) -> str:
    """The text as one part of a path; a long one is cut, and still told from others."""
    part = re.sub(r"[^\w=.,+@-]+", "_", text).strip("._")
    if len(part.encode()) <= LONGEST:
        return part
    return f"{part.encode()[: LONGEST - 9].decode(errors='ignore')}_{short(part)}"


def _candidates(
    notebook: str, params: Mapping[str, Any], seed: int, told: Mapping[str, Any] | str | None
) -> Iterator[str]:
    path = PurePath(notebook)
    full = _tail(params)
    tail = full if told is None else _tail(told)
    if tail != full and not isinstance(told, str):
        yield from (path.stem + each for each in (tail, full))
    for stem in (path.stem, path.with_suffix("").as_posix().lstrip("/"), path.as_posix()):
        yield stem + tail
        if seed:
            yield f"{stem}{tail}/seed={seed}"
    for number in itertools.count(2):
        yield f"{path.stem}{tail}/{number}"


def _tail(told: Mapping[str, Any] | str) -> str:
    """What a name says after its notebook."""
    if isinstance(told, str):
        return f"/{told}"
    given = ",".join(f"{name}={_label(value)}" for name, value in sorted(told.items()))
    return f"/{given}" if given else ""


def _label(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(char if char.isprintable() else "_" for char in text)
    return text if len(text) <= LABEL else f"{text[: LABEL - 11]}...{short(text)}"
