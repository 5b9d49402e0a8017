"""Where executed notebooks go: the usual folders, a template, or millrun's names.

A template is a path in which `{lr}` stands for a parameter, `{notebook}`, `{arm}`, `{number}`,
`{seed}` and `{run}` for what they say. What is filled in is one part of a path, whatever it holds;
where it is empty, the separator before it goes too.
"""

from __future__ import annotations

import json
import os
import re
import string
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.ops import naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SUFFIX = ".ipynb"
OF_RUN = ("number", "seed", "run")  # filled in when the run is known
USUAL = "{notebook}/{arm}/{notebook}_{arm}_{number}"
OF_CONFIGURATION = "{notebook}/{arm}/{notebook}_{arm}"
LONGEST = 230  # bytes of a file's name, so that `.~1~` and the like fit behind it
_NUMBER = "{number}"


@dataclass(frozen=True)
class Layout:
    """How the outputs of a launch are named, as asked."""

    folder: str = ""  # absolute; empty: the project's outputs
    template: str = ""
    prepend: Sequence[str] | None = None  # None: the index, where there is anything to append
    append: Sequence[str] | None = None
    beside: bool = False  # millrun's: in the folder of the notebook

    def __post_init__(self) -> None:
        """Refuse what can't be meant together.

        Raises:
            UsageError: a template and parts of a name, or a template that is none.
        """
        if self.template and self.by_parts:
            raise UsageError("--output says the whole name; leave out --prepend and --append")
        fields(self.template, "--output")
        if any("\ud800" <= char <= "\udfff" for char in self.template):
            raise UsageError(f"--output {self.template!r}: is not UTF-8")

    @property
    def by_parts(self) -> bool:
        """Whether names are made as millrun makes them."""
        return self.prepend is not None or self.append is not None


@dataclass(frozen=True)
class Subject:
    """What an output is the output of."""

    root: str  # the project's
    notebook: str  # absolute
    rest: str  # of the arm's name, after the notebook
    values: Mapping[str, Any]
    index: int  # of its set in the launch
    several: bool  # whether the launch is about several runs of it
    configured: bool  # whether it is a named configuration


def output(layout: Layout, about: Subject) -> str:
    """The path of an arm's outputs, in which `{number}`, `{seed}` and `{run}` may be left.

    Raises:
        UsageError: the template has an unknown field, or the file's name is too long.
    """
    own = PurePath(about.notebook)
    filled = {"notebook": naming.safe(own.stem), "arm": naming.safe(about.rest)}
    known = {**{name: part(value) for name, value in about.values.items()}, **filled}
    if layout.template:
        inner, folder = fill(layout.template, known, "--output"), str(Path.cwd())
    elif layout.by_parts:
        inner, folder = _by_parts(layout, about), f"{about.root}/outputs"
    else:
        usual = OF_CONFIGURATION if about.configured else USUAL
        more = f"_{_NUMBER}" if about.configured and about.several else ""
        inner, folder = fill(usual + more, known, "--output"), f"{about.root}/outputs"
    folder = layout.folder or (str(own.parent) if layout.beside else folder)
    inner = inner if inner.endswith(SUFFIX) else inner + SUFFIX
    _check_name(PurePath(inner).name, layout.template)
    return str(PurePath(folder) / inner)


def part(value: Any) -> str:
    """Any value as one part of a path."""
    text = value if isinstance(value, str) else _spelled(value)
    return naming.safe(text) or (naming.short(text) if text else "")


def fill(template: str, known: Mapping[str, str], option: str) -> str:
    """The template with what is known filled in; the fields of a run are left.

    Raises:
        UsageError: it has another field.
    """
    for name in fields(template, option):
        if name not in known and name not in OF_RUN:
            there = ", ".join(sorted({*known, *OF_RUN}))
            raise UsageError(f"{option} {template}: there is no {{{name}}}; there are: {there}")

    def put(found: re.Match[str]) -> str:
        name = found[2]
        if name in OF_RUN and name not in known:
            return found[0]
        return f"{found[1]}{known[name]}" if known[name] else ""

    return re.sub(r"([-_.]?)\{(\w+)\}", put, template)


def fields(template: str, option: str) -> list[str]:
    """The names in braces.

    Raises:
        UsageError: a brace without another, or something besides a name in them.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"{option} {template}: {error}") from error
    found = [(name, spec, how) for _, name, spec, how in parts if name is not None]
    for name, spec, how in found:
        if spec or how or not name.isidentifier():
            raise UsageError(f"{option} {template}: names alone stand in braces, such as {{lr}}")
    return [name for name, _, _ in found]


def clash(outputs: Iterable[tuple[str, str]]) -> tuple[str, str, str] | None:
    """Of outputs, each with whose it is, the first that two would write; None where there is none.

    Returns:
        The path, and whose it is twice.
    """
    seen: dict[tuple[str, str], str] = {}
    real: dict[str, str] = {}
    for path, whose in outputs:
        folder, name = os.path.split(path)
        key = _real(folder, real), name
        if key in seen:
            return path, seen[key], whose
        seen[key] = whose
    return None


def _real(folder: str, known: dict[str, str]) -> str:
    """Where links lead, with one look for each folder; `known` is what was found before."""
    if folder not in known:
        above, name = os.path.split(folder)
        path = os.path.join(_real(above, known), name) if name else folder
        known[folder] = os.path.realpath(path) if name == ".." or os.path.islink(path) else path
    return known[folder]


def _by_parts(layout: Layout, about: Subject) -> str:
    """`PREPEND-notebook-APPEND`; a part that names no value stands for itself."""
    first = [str(about.index)] if layout.prepend is None else layout.prepend
    before = [part(about.values.get(one, one)) for one in first]
    after = [part(about.values.get(one, one)) for one in layout.append or ()]
    number = [_NUMBER] if about.several else []
    stem = naming.safe(PurePath(about.notebook).stem)
    return "-".join(filter(None, [*before, stem, *after, *number]))


def _spelled(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)


def _check_name(name: str, template: str) -> None:
    if name == SUFFIX:
        raise UsageError(
            f"--output {template}: leaves no name for a file where its fields are empty"
        )
    if len(name.encode()) > LONGEST:
        shown = f"{name[:40]}...{name[-20:]}"
        raise UsageError(f"no file can be called {shown}: it is too long; fewer parts in its name")


USUALLY = Layout()
