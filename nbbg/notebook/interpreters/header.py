"""The header of inline script metadata (PEP 723) that says what a notebook needs.

    # /// script
    # requires-python = ">=3.11"
    # dependencies = ["numpy", "pandas<3"]
    # ///

It stands in the first code cell of a notebook, or before the first cell of a script, which is the
same once the script is read.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from nbbg import patterns
from nbbg.classes import dataclass
from nbbg.errors import NotebookError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OPENS = patterns.late(r"^# /// script\s*$", re.MULTILINE)
# The expression of the specification.
_BLOCK = patterns.late(r"(?m)^# /// script[ \t]*$\s(?P<content>(?:^#(?:| .*)$\s)+?)^# ///[ \t]*$")
_KEY = patterns.late(r"""^[ \t]*(['"]?)dependencies\1[ \t]*=""", re.MULTILINE)


@dataclass(frozen=True)
class Header:
    """What a notebook says that it needs."""

    path: Path  # of the notebook, absolute
    text: str  # TOML
    dependencies: tuple[str, ...]
    requires_python: str  # a version specifier, or empty
    lock: str = ""  # what `uv lock --script` or juv has settled, or empty

    def script(self, *more: str) -> str:
        """A script with this header and further dependencies, which works in any folder."""
        renamed = _KEY.sub("as-written =", self.text, count=1) if self._declares() else self.text
        wanted = json.dumps([*self.dependencies, *more], ensure_ascii=False)
        lines = [f"dependencies = {wanted}", *self._absolute(renamed).splitlines()]
        commented = (f"# {line}".rstrip() for line in lines)
        return "\n".join(("# /// script", *commented, "# ///", ""))

    def _declares(self) -> bool:
        return "dependencies" in _parsed(self.text, self.path)

    def _absolute(self, text: str) -> str:
        """The text with the folders of `[tool.uv.sources]` seen from anywhere."""
        folder = self.path.parent
        for given in _sources(_parsed(self.text, self.path)):
            quoted = rf"""(?<=[\s{{,])path\s*=\s*(['"]){re.escape(given)}\1"""
            place = f"path = {json.dumps(os.path.normpath(folder / given))}"
            text = re.sub(quoted, place.replace("\\", r"\\"), text)
        return text


def read(notebook: dict[str, Any], path: Path) -> Header | None:
    """The header of a notebook, if it has one.

    Raises:
        NotebookError: there are two, or it can't be read.
    """
    code = (cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    source = next((text for text in code if text.strip()), "")
    opened = 0 if source.lstrip().startswith("%%") else len(_OPENS.findall(source))
    if not opened:
        return None
    found = _BLOCK.search(source)
    if not found:
        raise _bad(path, "has no end; its last line is `# ///`, and all its lines begin with `#`")
    if opened > 1:
        raise _bad(path, "is there twice")
    lines = found["content"].splitlines()
    text = "\n".join(line.removeprefix("# ").removeprefix("#") for line in lines)
    said = _parsed(text, path)
    dependencies, python = said.get("dependencies", []), said.get("requires-python", "")
    if not isinstance(dependencies, list) or not all(isinstance(one, str) for one in dependencies):
        raise _bad(path, "has `dependencies` that are no list of texts")
    if not isinstance(python, str):
        raise _bad(path, "has a `requires-python` that is no text")
    return Header(path, text, tuple(dependencies), python, _lock(notebook, path))


def _lock(notebook: dict[str, Any], path: Path) -> str:
    """The versions that are settled: beside a script, or in a notebook's metadata."""
    kept = notebook.get("metadata", {}).get("uv.lock")
    beside = path.with_name(f"{path.name}.lock")
    if isinstance(kept, str):
        return kept
    return beside.read_text(errors="replace") if beside.is_file() else ""


def _parsed(text: str, path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(path, f"is no TOML: {error}") from None


def _sources(said: dict[str, Any]) -> Iterator[str]:
    """The relative folders of `[tool.uv.sources]`."""
    tool = said.get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    sources = uv.get("sources") if isinstance(uv, dict) else None
    for source in sources.values() if isinstance(sources, dict) else ():
        for each in source if isinstance(source, list) else [source]:
            path = each.get("path") if isinstance(each, dict) else None
            if isinstance(path, str) and not os.path.isabs(path):
                yield path


def _bad(path: Path, what: str) -> NotebookError:
    return NotebookError(
        f"{path}: the header `# /// script` {what}\n"
        "mend it in the first code cell, or name an interpreter: --python PATH"
    )
