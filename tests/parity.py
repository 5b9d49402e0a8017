"""Notebooks of our own, by both nbbg and a real kernel, in a form that can be compared.

A notebook is written as `tests/notebooks/NAME.ipy`: IPython's language, each cell under a line
`# %% its name`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nbbg.store.composed import collapse

Json = dict[str, Any]
NOTEBOOKS = Path(__file__).parent / "notebooks"
_NORMAL = [
    (r"\x1b\[[\d;]*m", ""),  # colours differ with the lexer alone
    (r"<ipython-input-\d+-\w+>|/tmp/ipykernel_\d+/\d+\.py|\b\d{6,}\.py", "<CELL>"),
    (r"0x[0-9a-f]{6,}", "<ADDRESS>"),
    (r"\bTask-\d+", "Task-N"),
    (r"\d+(\.\d+)?(e-\d+)? ?([nuµm]?s|min)\b", "<TIME>"),
    (r"\d\d:\d\d<\d\d:\d\d|[\d.?]+(it/s|s/it)", "<RATE>"),
    (r'"[0-9a-f]{32}"', "<ID>"),
]
_CELL = re.compile(r"^# %% (.*)\n", re.MULTILINE)


def cells(name: str) -> dict[str, str]:
    """The cells of a notebook: their names and sources."""
    _, *parts = _CELL.split((NOTEBOOKS / f"{name}.ipy").read_text())
    names, sources = parts[::2], [source.rstrip("\n") for source in parts[1::2]]
    assert len(set(names)) == len(names), name
    return dict(zip(names, sources, strict=True))


def notebook(name: str) -> Json:
    """The notebook; every cell may raise."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {"tags": ["raises-exception"]},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for index, source in enumerate(cells(name).values())
        ],
    }


def write(folder: Path, names: list[str]) -> None:
    """Each in a folder of its own, for some write files beside themselves."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.ipynb").write_text(json.dumps(notebook(name)))


def normal(executed: Json, folder: Path) -> list[str]:
    """Each cell's count and outputs as text, without what differs from run to run."""
    return [_normal_cell(cell, folder) for cell in executed["cells"]]


def _normal_cell(cell: Json, folder: Path) -> str:
    outputs: list[Json] = []
    for output in cell["outputs"]:
        last = outputs[-1] if outputs else {}
        if output["output_type"] == "stream" and output["name"] == last.get("name"):
            last["text"] += _joined(output["text"])
        else:
            outputs.append({name: _joined(value) for name, value in output.items()})
    for output in outputs:
        if output["output_type"] == "stream":
            output["text"] = collapse(output["text"])
    shown = {"count": cell["execution_count"], "outputs": outputs}
    text = json.dumps(shown, indent=1, ensure_ascii=False, sort_keys=True)
    text = text.replace("\\u001b", "\x1b").replace(str(folder), "<FOLDER>")
    for pattern, put in _NORMAL:
        text = re.sub(pattern, put, text)
    return text


def _joined(value: Any) -> Any:
    """Text that a file has as lines."""
    if isinstance(value, dict):
        return {
            kind: part if kind.endswith("json") else _joined(part) for kind, part in value.items()
        }
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "".join(value)
    return value
