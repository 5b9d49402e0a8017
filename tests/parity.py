"""Notebooks of our own, by both nbbg and a real kernel, in a form that can be compared.

A notebook is written as `tests/notebooks/NAME.ipy`: IPython's language, each cell under a line
`# %% its name`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nbbg import screen

Json = dict[str, Any]
NOTEBOOKS = Path(__file__).parent / "notebooks"
_NORMAL = [
    (r"\x1b\[[\d;]*m", ""),  # colours differ with the lexer alone
    (r"<ipython-input-\d+-\w+>|(/[^\s/]+)+/ipykernel_\d+/\d+\.py", "<CELL>"),
    (r"\b\d{6,}\.py|Cell In\[\d+\](?=, line \d+\))", "<CELL>"),
    (r"0x[0-9a-f]{6,}", "<ADDRESS>"),
    (r"CPU times: .*?\\n(Wall time: .*?\\n)?", "CPU times\\\\n"),
    (r"\bTask-\d+", "Task-N"),
    (r"\d+(\.\d+)?(e-\d+)? ?([nuµμm]?s|min)\b", "<TIME>"),
    (r"\d\d:\d\d<\d\d:\d\d|[\d.?]+(it/s|s/it)", "<RATE>"),
    (r"\|█+\|", "|BAR|"),
    (r'"[0-9a-f]{32}"', "<ID>"),
    (r"\bT_[0-9a-f]{5}", "<STYLED>"),
]
LIVE = "application/vnd.jupyter.widget-view+json"  # a widget without its kernel shows nothing
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_CONTEXT = re.compile(r"^\s*(\d+\s|\d+$|\(\.\.\.\)|\.\.\.)")
_ARROW = re.compile(r"^-+> (\d+)\s*")
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
        if output["output_type"] == "stream":
            _add_stream(outputs, output["name"], _joined(output["text"]))
        elif output["output_type"] == "error":
            outputs.append({**output, "traceback": _lines_of(output["traceback"])})
        else:
            shown = {kind: _joined(part) for kind, part in output["data"].items()}
            shown.pop(LIVE, None)
            outputs.append({**output, "data": shown})
    shown = {"count": cell["execution_count"], "outputs": outputs}
    text = json.dumps(shown, indent=1, ensure_ascii=False, sort_keys=True)
    text = text.replace("\\u001b", "\x1b").replace(str(folder), "<FOLDER>")
    for pattern, put in _NORMAL:
        text = re.sub(pattern, put, text)
    return text


def _add_stream(outputs: list[Json], name: str, text: str) -> None:
    """To the stream of that name since the last display: a kernel loses the order of the two."""
    since: list[Json] = []
    while outputs and outputs[-1]["output_type"] == "stream":
        since.append(outputs.pop())
    known = {each["name"]: each for each in since}
    stream = known.setdefault(name, {"output_type": "stream", "name": name, "text": ""})
    stream["text"] = screen.shown(stream["text"] + text)
    outputs += [known[each] for each in sorted(known)]


def _lines_of(traceback: list[str]) -> list[str]:
    """What a traceback says: not the lines around, which a kernel's own IPython chooses otherwise.

    IPython 9 reads a cell of a kernel in a simpler way: it indents otherwise, does not highlight
    what failed, and repeats the frames of a recursion.
    """
    lines = _COLOUR.sub("", "\n".join(traceback)).split("\n")
    kept = [line for line in lines if line.strip() and not _CONTEXT.match(line)]
    return [_ARROW.sub(r"--> \1 ", line).rstrip() for line in kept]


def _joined(value: Any) -> Any:
    """Text that a file has as lines."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "".join(value)
    return value
