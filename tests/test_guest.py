"""The part of nbbg that runs in the user's own interpreter: Python 3.8, no library but IPython."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import pytest

from nbbg.engines import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 8)
LIBRARIES = {"IPython", "traitlets"}  # which is IPython's own
FILES = commands.guest_files()


def parsed(name: str) -> ast.Module:
    """A guest file, as the oldest Python reads it."""
    return ast.parse((commands.PACKAGE / name).read_bytes(), name, feature_version=OLDEST)


def module_name(name: str) -> str:
    """What a guest file is imported as."""
    path = f"nbbg/{name}".removesuffix(".py").removesuffix("/__init__")
    return path.replace("/", ".")


MODULES = {module_name(name) for name in FILES}


def imports(tree: ast.Module, *, late: bool) -> Iterator[set[str]]:
    """What is imported, as a module or out of one: when the file is imported, or also later."""
    inner = [
        *(node for node in ast.walk(tree) if isinstance(node, ast.If) and for_types(node)),
        *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and not late),
    ]
    left_out = {id(node) for each in inner for node in ast.walk(each)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from ({alias.name} for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ({node.module, f"{node.module}.{alias.name}"} for alias in node.names)


def for_types(block: ast.If) -> bool:
    """Whether a block is for the type checker alone."""
    return "TYPE_CHECKING" in ast.dump(block.test)


def top(names: set[str]) -> str:
    """The library that an import is of."""
    return min(names).partition(".")[0]


@pytest.mark.parametrize("name", FILES)
def test_the_oldest_python_reads_it(name: str) -> None:
    """Every guest file is Python 3.8, and none of its annotations is evaluated."""
    nodes = list(ast.walk(parsed(name)))
    from_ = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    annotated = any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in nodes)
    assert not annotated or "__future__" in {node.module for node in from_}


@pytest.mark.parametrize("name", FILES)
def test_it_needs_no_other_library(name: str) -> None:
    """To be imported, a guest file needs the standard library and IPython alone."""
    there = sys.stdlib_module_names | LIBRARIES | {"nbbg"}
    assert {top(names) for names in imports(parsed(name), late=False)} <= there


@pytest.mark.parametrize("name", FILES)
def test_it_needs_no_other_part_of_nbbg(name: str) -> None:
    """What a guest file imports of nbbg, late imports included, goes along with it."""
    for names in imports(parsed(name), late=True):
        assert top(names) != "nbbg" or names & MODULES, names
