"""Parameters in a notebook's own language, through papermill's translators.

The source of the injected cell is written at launch, once, and goes with the arm: what the kernel
executes and what the executed notebook shows is the same text. Python's is written by
`nbbg.notebook.injection`, without papermill.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from nbbg import patterns
from nbbg.errors import EnvironmentFault
from nbbg.notebook import injection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PYTHON = "python"
_INSTEAD = "run it without -p, and read RUN_NUMBER and SEED from the environment"
_ASSIGNED = patterns.late(
    r"""(?mx) ^\s* (?: (?:const|val|var|let|local|export|readonly|mutable|double|int|string) \s+ )*
    \$? ([A-Za-z_]\w*) (?: \s* :\s* \w+ )? \s* (?: =(?!=) | <- )"""
)
# Of the kinds that papermill writes wrongly: it lets Julia interpolate what follows a `$`, writes
# `é` as a byte, and infinities as Python does.
_TEXTS: dict[str, Callable[[str], str]] = {
    "r": lambda text: json.dumps(text, ensure_ascii=False),
    "scala": lambda text: json.dumps(text, ensure_ascii=False),
    "julia": lambda text: json.dumps(text, ensure_ascii=False).replace("$", r"\$"),
}
_NO_NUMBERS = {
    "r": ("NaN", "Inf"),
    "julia": ("NaN", "Inf"),
    "matlab": ("NaN", "Inf"),
    "scala": ("Double.NaN", "Double.PositiveInfinity"),
}


def parameters(
    notebook: dict[str, Any], language: str, kernel: str, params: Mapping[str, Any]
) -> str:
    """Check parameters; the source of their cell, or nothing where the language is Python.

    Args:
        notebook: nbformat-4 JSON.
        language: the notebook's.
        kernel: name of its kernelspec.
        params: JSON values, NaN and the infinities among them.

    Raises:
        ValueError: a name or a value can't be written in the language.
        EnvironmentFault: papermill is needed, and not installed.
    """
    if not params or language == PYTHON:
        injection.inject(notebook, params)
        return ""
    for name in params:
        injection.name_of(name)
    try:
        source: str = _translator(kernel, language).codify(dict(params))
    except NotImplementedError:
        raise ValueError(f"one of its parameters can't be written in {language}") from None
    return source.rstrip()


def declared(notebook: Mapping[str, Any]) -> list[str]:
    """The names that the cell tagged `parameters` assigns, told from the first words of its lines.

    For all languages but Python, which `nbbg.notebook.parameters` reads.
    """
    tagged = (
        injection.source_of(cell)
        for cell in notebook.get("cells", [])
        if injection.PARAMETERS in injection.tags_of(cell)
    )
    return _ASSIGNED.findall(next(tagged, ""))


def _translator(kernel: str, language: str) -> Any:
    try:
        from papermill.exceptions import PapermillException
        from papermill.translators import papermill_translators
    except ImportError:
        raise EnvironmentFault(
            f"parameters of a notebook in {language} are written by papermill, which is not"
            " installed\npip install 'nbbg[languages]'"
        ) from None
    for name in (language, language.capitalize(), language.lower()):  # such as r, which it calls R
        try:
            return _corrected(papermill_translators.find_translator(kernel, name), language.lower())
        except PapermillException:
            continue
    raise ValueError(f"papermill knows no parameters in {language}; {_INSTEAD}")


def _corrected(translator: Any, language: str) -> Any:
    class Corrected(translator):  # type: ignore[misc]  # papermill ships no types
        @classmethod
        def translate_escaped_str(cls, str_val: Any) -> str:
            if language in _TEXTS:
                return _TEXTS[language](str(str_val))
            return str(super().translate_escaped_str(str_val))

        @classmethod
        def translate_float(cls, val: float) -> str:
            if math.isfinite(val) or language not in _NO_NUMBERS:
                return str(super().translate_float(val))
            nan, infinity = _NO_NUMBERS[language]
            return nan if math.isnan(val) else infinity if val > 0 else f"-{infinity}"

    return Corrected
