"""Which notebooks a launch means."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg.errors import NbbgError, UsageError
from nbbg.ops import gather
from tests.project import notebook

if TYPE_CHECKING:
    from collections.abc import Sequence

PERCENT = "# %%\nx = 1\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    books = ("a.ipynb", "sub/b.ipynb", "outputs/a/a_1.ipynb", ".hidden/h.ipynb", ".c.ipynb")
    for name in (*books, ".ipynb_checkpoints/a.ipynb", "venv/v.ipynb"):
        _put(name, json.dumps(notebook("x = 1")))
    for name in ("a.py", "script.py", "sub/c.py"):
        _put(name, PERCENT)
    _put("module.py", "x = 1\n")
    _put("data.csv", "1\n")


def _put(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


def _found(
    *names: str, recursive: bool = False, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[str]:
    chosen = gather.selection(recursive=recursive, include=include, exclude=exclude)
    return [str(path) for path in gather.notebooks(names, chosen)]


def test_of_a_folder() -> None:
    """Notebooks and percent scripts, no script beside its notebook, no output, nothing hidden."""
    assert _found(".") == ["a.ipynb", "script.py"]
    found = _found(".", recursive=True)
    assert found == ["a.ipynb", "script.py", "sub/b.ipynb", "sub/c.py"]
    assert _found(".", recursive=True, include=["*.py"]) == ["a.py", "script.py", "sub/c.py"]
    assert _found(".", recursive=True, exclude=["sub", "a*"]) == ["script.py"]


def test_of_globs() -> None:
    """A quoted glob means what a folder's files would; what it does not match is refused."""
    assert _found("*") == ["a.ipynb", "script.py"]
    assert _found("**/*.ipynb") == ["a.ipynb", "sub/b.ipynb", "venv/v.ipynb"]
    assert _found("*.ipynb", "a.ipynb", "./sub/../a.ipynb") == ["a.ipynb"]
    assert _found("outputs/*/*.ipynb") == ["outputs/a/a_1.ipynb"]
    for name in ("gone/*", "*.txt", "*.csv", "module*"):
        with pytest.raises(UsageError, match="nothing matches"):
            _found(name)


def test_a_folder_without_a_notebook() -> None:
    """An empty folder is refused, and where its folders may hold some, so it is said."""
    Path("empty/deep").mkdir(parents=True)
    with pytest.raises(UsageError, match="no notebook in empty; in its folders too: --recursive"):
        _found("empty")
    _put("empty/a.ipynb", json.dumps(notebook("1")))
    with pytest.raises(UsageError, match=r"no notebook in empty, with --exclude a\*; in its"):
        _found("empty", exclude=["a*"])
    with pytest.raises(
        UsageError, match=r"nothing matches it that is a notebook, with --include b"
    ):
        _found("empty/*", include=["b"])
    with pytest.raises(NbbgError, match="gone"):
        _found("gone")


def test_both_halves_of_a_pair_are_one() -> None:
    """A notebook and its script, both named, run once; two that are no pair both run."""
    book = notebook("x = 1")
    book["metadata"]["jupytext"] = {"formats": "ipynb,scripts//py:percent"}
    _put("pair.ipynb", json.dumps(book))
    header = "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,scripts//py:percent\n# ---\n\n"
    _put("scripts/pair.py", header + PERCENT)
    assert _found("scripts/pair.py", "pair.ipynb") == ["pair.ipynb"]
    assert _found("scripts/pair.py") == ["scripts/pair.py"]
    assert _found("a.ipynb", "a.py") == ["a.ipynb", "a.py"]


def test_a_pair_whose_halves_differ_is_refused() -> None:
    """Where the code of the two differs, both are named with what to type; else they run."""
    book = notebook("x = 1")
    book["metadata"]["jupytext"] = {"formats": "ipynb,py:percent"}
    _put("pair.ipynb", json.dumps(book))
    header = "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py:percent\n# ---\n\n"
    _put("pair.py", header + PERCENT)
    for name in ("pair.ipynb", "pair.py", "a.ipynb", "script.py"):
        gather.refuse_differing(Path(name))
    _put("pair.py", header + PERCENT.replace("1", "2"))
    for name in ("pair.ipynb", "pair.py"):
        with pytest.raises(NbbgError, match=f"pair.ipynb and pair.py .*\nnbbg sync {name};"):
            gather.refuse_differing(Path(name))


def test_a_configuration_makes_a_pair() -> None:
    """A script beside is looked at where a configuration may pair it, and nowhere else."""
    _put("a.ipynb", json.dumps(notebook("x = 1")))
    _put("a.py", PERCENT.replace("1", "2"))
    gather.refuse_differing(Path("a.ipynb"))
    _put("pyproject.toml", '[tool.jupytext]\nformats = "ipynb,py:percent"\n')
    for name in ("a.ipynb", "a.py"):
        with pytest.raises(NbbgError, match=r"a\.ipynb and a\.py are a pair"):
            gather.refuse_differing(Path(name))


def test_a_launch_of_no_pair_loads_no_jupytext() -> None:
    """A notebook that merely has a script of its name beside it starts as fast as any other."""
    _put("a.ipynb", json.dumps(notebook("x = 1")))
    _put("a.py", PERCENT)
    code = "import sys; from pathlib import Path; from nbbg.ops import gather\n"
    code += "gather.refuse_differing(Path('a.ipynb')); sys.exit('jupytext' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
