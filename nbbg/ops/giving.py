"""What of a launch's parameters each notebook is given, and which results it is asked for.

Wrong is, and refused: a parameter that no notebook of the launch knows, and a value that its
notebook can't mean. Odd is, and told: a value of another type than the default, a notebook that
takes none of what was given, a result that nothing in the notebook assigns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg import files
from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.notebook import languages, parameters, userfiles
from nbbg.notebook.kinds import Fit
from nbbg.ops import shapes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from nbbg.notebook.document import Document
    from nbbg.notebook.parameters import Parameter
    from nbbg.ops.shapes import Given

SOME = 20  # names that a message lists
LONGEST = 60  # characters of a value in a message


@dataclass(frozen=True)
class Freedom:
    """What a launch allows beyond what its notebooks declare."""

    new_names: bool = False
    any_type: bool = False


STRICT = Freedom()


class Giving:
    """The parameters of one launch over all of its notebooks.

    Raises:
        UsageError: none of the notebooks knows a parameter, and new names are not allowed.
    """

    def __init__(
        self, documents: Sequence[Document], sets: Sequence[Given], freedom: Freedom
    ) -> None:
        names = dict.fromkeys(name for given in sets for name in given.params)
        configured = any(given.config is not None for given in sets)
        asked = documents if names or configured else ()  # most need not read what is declared
        self.freedom = freedom
        self._tagged: dict[Path, bool] = {}
        self._again: dict[Path, dict[str, int]] = {}
        self.own: dict[Path, dict[str, Parameter]] = {}
        self.names: dict[Path, Collection[str]] = {}
        for doc in asked:
            foreign = _is_foreign(doc)
            self.own[doc.path] = own = {} if foreign else parameters.declared(doc.notebook)
            self.names[doc.path] = languages.declared(doc.notebook) if foreign else own
        self.known = {name for own in self.names.values() for name in own}
        self._new = [name for name in names if name not in self.known]
        if self._new and not freedom.new_names:
            values = [value for given in sets for value in given.params.values()]
            nested = all(isinstance(value, dict) for value in values)
            raise UsageError(_unknown(documents, self._new, sorted(self.known), nested=nested))

    def to(self, doc: Document, given: Given) -> dict[str, Any]:
        """Those that a notebook knows; and those that no notebook does, where that is allowed.

        A named configuration goes there whole, and those of its values that the notebook declares
        also under their own names.
        """
        own = self.names.get(doc.path, ())
        found = {n: value for n, value in (given.config or {}).items() if n in own}
        if given.config is not None:
            found = {shapes.CONFIG: dict(given.config), **found}
        if not given.params:
            return found
        loose = self.freedom.new_names and not self._is_tagged(doc)
        taken = own if not loose else given.params
        new = {n: value for n, value in given.params.items() if n in taken or n not in self.known}
        return {**found, **new}

    def check(self, doc: Document, taken: Mapping[str, Any], given: Iterable[str]) -> list[str]:
        """Sentences about what is odd.

        Raises:
            UsageError: a value can't be meant.
        """
        for name, value in taken.items():
            _check_text(doc, name, value)
        own = self.own.get(doc.path, {})
        fits = {name: own[name].fits(value) for name, value in taken.items() if name in own}
        wrong = [own[name] for name, fit in fits.items() if fit is Fit.BAD]
        if wrong and not self.freedom.any_type:
            raise UsageError(_wrong(doc, wrong, taken))
        notes = [
            f"{_place(doc, own[name])}: {_contrast(own[name], taken[name])}"
            for name, fit in fits.items()
            if fit is Fit.ODD
        ]
        for name, cell in self._set_again(doc).items():
            if name in taken:
                notes.append(f"{_shown(doc)}: cell {cell} sets {name} again, after what was given")
        if left := [name for name in given if name not in taken]:
            notes.append(f"{_shown(doc)} has no parameter {', '.join(left)}, and is not given it")
        return notes

    def _is_tagged(self, doc: Document) -> bool:
        if doc.path not in self._tagged:
            self._tagged[doc.path] = parameters.is_tagged(doc.notebook)
        return self._tagged[doc.path]

    def _set_again(self, doc: Document) -> dict[str, int]:
        """The names that a further cell sets again; the same for every set, so read once."""
        if doc.path not in self._again:
            names = {*self.known, *self._new}
            self._again[doc.path] = parameters.overriding(doc.notebook, names) if names else {}
        return self._again[doc.path]


def _check_text(doc: Document, name: str, value: Any) -> None:
    """Refuse what JSON can spell and no file or process can hold."""
    try:
        files.to_json(value).decode()
    except UnicodeDecodeError:
        message = f"{_shown(doc)}: {name} is given half a surrogate pair, which is no text"
        raise UsageError(message) from None


def check_names(names: Iterable[str]) -> None:
    """Refuse results that no variable could be.

    Raises:
        UsageError: one is no name.
    """
    for name in names:
        if not name.isidentifier():
            message = f"--results {name}: names of variables, such as --results accuracy,table"
            raise UsageError(message)


def odd_results(doc: Document, asked: Sequence[str], tagged: Sequence[str]) -> list[str]:
    """Sentences about results that can hardly be kept."""
    if not asked and not tagged:
        return []
    if _is_foreign(doc):
        return [f"{_shown(doc)}: results are kept of Python notebooks alone"]
    bound = parameters.assigned(doc.notebook) if asked else None
    gone = [name for name in asked if bound is not None and name not in bound]
    return [_unassigned(doc, name, bound or ()) for name in gone]


def _unassigned(doc: Document, name: str, bound: Iterable[str]) -> str:
    near = parameters.near(name, bound)
    return f"{_shown(doc)}: nothing in it assigns {name}" + (
        f"; did you mean {near}?" if near else ""
    )


def _is_foreign(doc: Document) -> bool:
    return doc.language != "python"


def _shown(doc: Document) -> str:
    return userfiles.shown(doc.path)


def _place(doc: Document, parameter: Parameter) -> str:
    return f"{_shown(doc)}, cell {parameter.cell}, line {parameter.line}"


def _unknown(
    documents: Sequence[Document], new: Sequence[str], known: Sequence[str], *, nested: bool
) -> str:
    untagged = [doc for doc in documents if not parameters.is_tagged(doc.notebook)]
    some = ", ".join(known[:SOME]) + (", ..." if known[SOME:] else "")
    names = f"known: {some}" if known else "no cell is tagged `parameters`"
    near = [found for name in new if (found := parameters.near(name, known))]
    meant = f"did you mean {' and '.join(near)}? else" if near else "check the spelling, or"
    if not known and untagged:
        meant = f"nbbg show {_shown(untagged[0])} says how to tag one; or"
    if nested:  # a dict of dicts alone, which is what a file of configurations looks like
        meant = "if they are named configurations, give each its `notebook`; else"
    return (
        f"no notebook of this launch has a parameter {' or '.join(new)} ({names})\n"
        f"{meant} pass --allow-new-params"
    )


def _wrong(doc: Document, wrong: Sequence[Parameter], given: Mapping[str, Any]) -> str:
    first = wrong[0]
    more = f" (and so for {', '.join(each.name for each in wrong[1:])})" if wrong[1:] else ""
    advice = "to give it all the same: --allow-any-type"
    if first.kind == "str" and isinstance(given[first.name], (bool, int, float)):
        import shlex

        value = given[first.name]
        text = str(value) if type(value) is int else "TEXT"  # 1e5 was typed, or 100000.0
        quoted = shlex.quote(f'{first.name}="{text}"')
        advice = f"as text: -p {quoted}"
    if first.kind == "list" and not isinstance(given[first.name], list):
        advice = f"a list: -p '{first.name}=[1, 2]'"
    if isinstance(given[first.name], list):
        advice = (
            "a list is one value beside plain values; a sweep is lists alone, or a list of sets"
        )
    what = _contrast(first, given[first.name])
    return f"{_place(doc, first)}: {what}{more}\n{advice}"


def _contrast(parameter: Parameter, value: Any) -> str:
    """What is given beside what is wanted."""
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
    wanted = parameter.annotation or f"{parameter.kind} by its default {parameter.default}"
    given = f"{_kind(value)} {shown}".strip()
    return f"{parameter.name} is {wanted}, and is given {given}".replace("\n", " ")


def _kind(value: Any) -> str:
    words = {str: "the text", bool: "the bool", int: "the number", float: "the number"}
    words |= {list: "the list", dict: "the dict"}
    return words.get(type(value), "")
