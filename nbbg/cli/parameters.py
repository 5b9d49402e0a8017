"""`nbbg show train.ipynb`: what a notebook says about its parameters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nbbg.cli import output, table
from nbbg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbg.notebook.document import Document
    from nbbg.notebook.parameters import Parameter

_HEAD = ("parameter", "type", "default", "comment")
_LONGEST = 60  # characters of a cell in the table


def is_file(name: str) -> bool:
    """Whether a name means a notebook or script; `arm:x.py` an arm that is called so."""
    return name.endswith((".ipynb", ".py")) and not name.startswith("arm:")


def show(names: Sequence[str], *, as_json: bool) -> int:
    """Show the parameters of notebooks, one after the other.

    Raises:
        UsageError: there are runs among the names.
        NotebookError: one is not there, or is no notebook.
    """
    from nbbg.notebook import document, parameters  # `nbbg show 7` needs neither

    if runs := [name for name in names if not is_file(name)]:
        message = f"show runs or notebooks, not both: {', '.join(runs)}"
        raise UsageError(message)
    found = []
    for name in names:
        doc = document.load(document.resolve(name))
        found.append((name, doc, parameters.is_tagged(doc.notebook)))
    if as_json:
        documents = [_document(name, doc, tagged=tagged) for name, doc, tagged in found]
        output.document(documents[0] if len(documents) == 1 else documents)
        return 0
    for position, (name, doc, tagged) in enumerate(found):
        print("\n" * bool(position), end="")
        _table(name, doc, tagged=tagged)
    return 0


def _declared(doc: Document) -> list[Parameter]:
    from nbbg.notebook import parameters

    return list(parameters.declared(doc.notebook).values()) if doc.language == "python" else []


def _document(name: str, doc: Document, *, tagged: bool) -> dict[str, Any]:
    keys = ("name", "kind", "default", "comment", "cell", "line")
    declared = [{key: getattr(each, key) for key in keys} for each in _declared(doc)]
    renamed = [{"type" if k == "kind" else k: v for k, v in each.items()} for each in declared]
    return {"notebook": name, "tagged": tagged, "parameters": renamed}


def _table(name: str, doc: Document, *, tagged: bool) -> None:
    if doc.language != "python":
        print(f"{name} is in {doc.language or 'an unknown language'}: its parameters are not read")
        return
    if not tagged:
        print(f"{name}: no cell is tagged `parameters`\n  {_how_to_tag(doc)}")
        return
    rows = [
        [each.name, *(table.one_line(text, _LONGEST) for text in _said(each))]
        for each in _declared(doc)
    ]
    if not rows:
        print(f"{name}: its cell tagged `parameters` assigns nothing that can be read")
        return
    table.show(_HEAD, rows)
    sys.stdout.flush()
    first = _declared(doc)[0]
    print(f"  nbbg run {name} -p {first.name}=VALUE", file=sys.stderr)


def _said(each: Parameter) -> tuple[str, str, str]:
    return each.kind, each.default or "(none)", each.comment


def _how_to_tag(doc: Document) -> str:
    if doc.path.suffix == ".py":
        return 'begin the cell of the defaults with: # %% tags=["parameters"]'
    return (
        "in JupyterLab: the cell of the defaults, Property Inspector (the gears at the right),"
        " Add Tag: parameters"
    )
