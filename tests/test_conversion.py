"""Conversions: both ways without loss, each trap with its exact text, and nothing overwritten."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jupytext
import nbformat
import pytest

from nbbg.errors import NotebookError
from nbbg.notebook import conversion, pairing
from tests.memory import Kept

if TYPE_CHECKING:
    from nbbg.notebook.writing import Report

PYTHON = {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}}
memory = Kept()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    memory.records.clear()


def convert(name: str, output: str = "", to: str = "") -> Report:
    """Convert a file."""
    return conversion.convert(Path(name), memory, to, Path(output) if output else None)


def cell(source: str, kind: str = "code", **more: Any) -> dict[str, Any]:
    """A cell as Jupyter writes it."""
    extra: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": source, **extra, **more}


def write(name: str, *cells: dict[str, Any] | str, **more: Any) -> Path:
    """Write a notebook."""
    made = [cell(one) if isinstance(one, str) else one for one in cells]
    notebook = {"cells": made, "metadata": PYTHON, "nbformat": 4, "nbformat_minor": 4, **more}
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1))
    return path


def cells(name: str) -> list[tuple[str, str]]:
    """Kind and source of each cell of a notebook."""
    found = json.loads(Path(name).read_text())["cells"]
    return [(one["cell_type"], "".join(one["source"])) for one in found]


def sources(name: str) -> list[str]:
    """The sources of a notebook."""
    return [source for _, source in cells(name)]


def refused(name: str, output: str = "", to: str = "") -> str:
    """What is said when a conversion is refused, which leaves everything as it was."""
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    with pytest.raises(NotebookError) as caught:
        convert(name, output, to)
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


TRAPS = {
    "python that looks like a command": ["ls = []\nls += [1]\nprint(ls)"],
    "a magic's sign on a continuation line": ["x = ('%a %b' % (1,\n%b)", "x = 'a \\\n%b)'"],
    "magics inside a loop": ["for i in range(3):\n    %time f(i)\n    !echo {i}\n    y = !ls"],
    "a file that is written": ["%%writefile a.py\nimport os\n# %%\n!ls\n%time"],
    "bodies in other languages": ["%%bash\nrm x\n# comment\nls", "%%html\n<b># %%</b>", "%%R\nx"],
    "a cell of shell": ["%%!\nls\nrm x"],
    "an assigned command": ["x = !cmd\ny = %time 1"],
    "a marker in a string": ["s = '''\n# %%\n# %% [markdown]\n'''"],
    "top-level await": ["await f()\nasync with x as y:\n    await y"],
    "comments that look like commands": ["# rm x\n# !touch y\n# ls\n# why?\n# %cd /", "# # ls"],
    "help": ["?print\nprint?\nprint??", "a?"],
    "a command over lines": ["!echo a \\\n  b \\\n  c\nx = 1"],
    "comments at the end": ["x = 1  # %time\n#!/bin/sh\n#"],
    "empty cells": ["", "x = 1", "", ""],
    "blank lines": ["\n\nx = 1", "def f():\n    pass\n\n\n\n    x = 1"],
    "tabs and all planes": ["if x:\n\ty = '\U0001f600 é \U0001d518 漢'\n\t!ls"],
    "markers in code": ["x = 1\n# %%\ny = 2", "# %% [markdown]", "# %% a\n!ls\n\n# rm x"],
    "an open quote": ["x = '''", "y = (1,"],
    "a long cell": ["x = '" + "a" * 1_000_000 + "'"],
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_survives(name: str) -> None:
    """The script brings the same cells back, for nbbg and jupytext, without its notebook too."""
    trap = TRAPS[name]
    book = write("a.ipynb", "before = 1", *trap, "after = 1")
    expected = sources("a.ipynb")
    convert("a.ipynb")
    script = Path("a.py").read_text()
    assert [one.source for one in jupytext.read("a.py").cells] == expected
    book.unlink()
    convert("a.py")
    assert sources("a.ipynb") == expected
    assert not convert("a.py").changed
    assert not convert("a.ipynb").changed
    convert("a.ipynb", "b.py")
    assert Path("b.py").read_text() == script


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_survives_in_a_pair(name: str) -> None:
    """An edit beside it, on either side, leaves it as it is."""
    write("a.ipynb", "before = 1", *TRAPS[name], "after = 1")
    pairing.pair(Path("a.ipynb"), memory)
    expected = sources("a.ipynb")
    script = Path("a.py")
    script.write_text(script.read_text().replace("after = 1", "after = 2"))
    pairing.sync(script, memory)
    assert sources("a.ipynb") == [*expected[:-1], "after = 2"]
    book = Path("a.ipynb")
    book.write_text(book.read_text().replace("before = 1", "before = 2"))
    pairing.sync(book, memory)
    assert not pairing.sync(book, memory).changed
    assert sources("a.ipynb") == ["before = 2", *expected[1:-1], "after = 2"]
    found = [one.source for one in jupytext.read("a.py").cells]
    assert found == sources("a.ipynb")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("%%\nls", "code cell 2, line 1: `%%` would not read back as it is in a.py"),
        ("x = 'a\u2028b'", "line 1: `x = 'a\\u2028b'` would not read back as it is"),
        ("x = '\ud800'", "holds half a surrogate pair"),
    ],
)
def test_what_jupytext_can_not_keep_is_refused(source: str, said: str) -> None:
    """A cell that no script holds is refused with its line, and nothing is written."""
    write("a.ipynb", "before = 1", source, "after = 1")
    assert said in refused("a.ipynb")


FOREIGN = """\
#!/usr/bin/env python
# A script from somewhere.
import os

# rm x
# !touch y
# ls


# %%
# why?
ls = []
ls += [1]
# %cd /
def f():
\treturn 1  # %time

# %% tags=["parameters"]
x = 1
"""


def test_comments_of_a_foreign_script_stay_comments() -> None:
    """Also when it comes back from its notebook, where each line is as it was, to jupytext too."""
    Path("a.py").write_text(FOREIGN)
    convert("a.py")
    found = sources("a.ipynb")
    assert "# rm x\n# !touch y\n# ls" in "\n".join(found)
    assert "# why?\nls = []\nls += [1]\n# %cd /" in "\n".join(found)
    assert not convert("a.ipynb").changed
    assert Path("a.py").read_text() == FOREIGN
    convert("a.ipynb", "b.py")
    lines = Path("b.py").read_text().split("# ---\n")[-1].splitlines()
    assert [line for line in lines if line and "%%" not in line] == [
        line for line in FOREIGN.splitlines()[1:] if line and "%%" not in line
    ]
    assert [one.source for one in jupytext.read("b.py").cells] == found
    convert("b.py", "c.ipynb")
    assert sources("c.ipynb") == found


def test_a_script_without_traps_comes_back_byte_for_byte() -> None:
    """No header is put into a script that had none."""
    text = "# %%\nimport os\n\n# %% [markdown]\n# # Title\n# text\n\n# %%\nx = 1\n"
    Path("a.py").write_text(text)
    convert("a.py")
    convert("a.ipynb", "b.py")
    assert Path("b.py").read_text() == text
    first = Path("a.ipynb").read_bytes()
    convert("b.py", "c.ipynb")
    assert Path("c.ipynb").read_bytes() == first


def test_a_line_that_would_come_back_otherwise_is_refused() -> None:
    """Where jupytext lays out a line anew, the script is not converted, and the line is said."""
    Path("a.py").write_text("# %%\nx = 1\n# %% [markdown]\n#no space\n# with\n")
    assert refused("a.py") == (
        "a.py:4: jupytext would not bring this line back as it is: `#no space`"
    )
    Path("b.py").write_text('# %% language="bash"\n# rm x\n')
    assert "b.py:2: jupytext would not bring this line back as it is" in refused("b.py")


def test_the_text_is_that_of_jupytext() -> None:
    """The script is byte for byte what `jupytext --to py:percent` writes."""
    write("a.ipynb", "x = 1\n!ls", cell("# T", "markdown"), cell("raw", "raw"), "ls += [1]")
    convert("a.ipynb")
    wanted = jupytext.writes(jupytext.read("a.ipynb"), "py:percent")
    assert Path("a.py").read_text() == wanted


def test_an_edited_script_is_converted_with_its_commands() -> None:
    """Commands that nbbg commented come back; a comment that was added since stays one."""
    write("a.ipynb", "x = 1\n!ls", "%%bash\nrm x")
    convert("a.ipynb", "b.py")
    text = Path("b.py").read_text().replace("x = 1", "x = 2\n# rm x\n# !touch y\n# ls")
    Path("b.py").write_text(text)
    Path("a.ipynb").unlink()
    convert("b.py", "c.ipynb")
    assert sources("c.ipynb") == ["x = 2\n# rm x\n# !touch y\n# ls\n!ls", "%%bash\nrm x"]


def test_a_script_in_the_place_of_a_conversion_keeps_its_comments() -> None:
    """What is known of a script that was replaced by somebody's own does not hold for that one."""
    write("a.ipynb", "x = 1\n!ls")
    convert("a.ipynb", "b.py")
    Path("b.py").write_text("# %%\ny = 1\n# !ls\n")
    convert("b.py", "c.ipynb")
    assert sources("c.ipynb") == ["y = 1\n# !ls"]


def test_a_file_that_is_no_pair_is_not_overwritten() -> None:
    """A file that is there is replaced only as nbbg wrote it."""
    write("a.ipynb", "x = 1")
    Path("a.py").write_text("print('mine')\n")
    said = "a.py: is there already, and is not its pair; name another file with -o"
    assert refused("a.ipynb") == said
    Path("a.py").write_text("# %%\nx = 2\n")
    assert refused("a.ipynb") == said
    Path("a.py").unlink()
    convert("a.ipynb")
    write("a.ipynb", "x = 3")
    assert str(convert("a.ipynb")) == (
        "a.ipynb -> a.py: a.py updated, the version before is .a.py.~1~"
    )
    Path("a.py").write_text(Path("a.py").read_text().replace("x = 3", "x = 'mine'"))
    write("a.ipynb", "x = 4")
    assert refused("a.ipynb") == "a.py: was edited since nbbg made it; name another file with -o"
    write("b.ipynb", "x = 1")
    assert "is there already" in refused("a.py", "b.ipynb")
    Path("c.txt").write_text("mine")
    assert "c.txt" in refused("a.ipynb", "c.txt")


def test_a_notebook_that_was_run_since_keeps_its_outputs() -> None:
    """A script that is converted again updates its notebook's sources alone."""
    Path("a.py").write_text("# %%\nx = 1\n\n# %%\ny = 1\n")
    convert("a.py")
    notebook = json.loads(Path("a.ipynb").read_text())
    for one in notebook["cells"]:
        one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["o\n"]}]
    notebook["metadata"] |= PYTHON
    Path("a.ipynb").write_text(json.dumps(notebook))
    Path("a.py").write_text("# %%\nx = 1\n\n# %%\ny = 2\n")
    convert("a.py")
    after = json.loads(Path("a.ipynb").read_text())
    assert sources("a.ipynb") == ["x = 1", "y = 2"]
    assert after["cells"][0] == notebook["cells"][0]


def test_a_pair_is_converted_within_itself() -> None:
    """The half that was edited is converted to the other; an edited other half is left alone."""
    write("a.ipynb", "x = 1")
    pairing.pair(Path("a.ipynb"), memory)
    script = Path("a.py")
    script.write_text(script.read_text().replace("x = 1", "x = 2"))
    assert "a.py: was edited since it was the same as a.ipynb" in refused("a.ipynb")
    convert("a.py")
    assert sources("a.ipynb") == ["x = 2"]
    convert("a.ipynb", "copy.py")
    assert "formats" not in Path("copy.py").read_text()


@pytest.mark.parametrize(
    ("kernel", "language", "suffix", "marker", "source"),
    [
        ("ir", "R", ".R", "# %%", "x <- 1\nls()\n# rm x"),
        ("julia-1.10", "julia", ".jl", "# %%", "x = 1\n# ls\n%time"),
        ("xcpp17", "c++", ".cpp", "// %%", "#include <a>\nint x = 1; // rm"),
        ("scala", "scala", ".scala", "// %%", "val x = 1\n// rm x"),
        ("bash", "bash", ".sh", "# %%", "ls | wc -l\n# rm x\nrm x"),
        ("gophernotebook", "go", ".go", "// %%", "x := 1\n// rm x"),
        ("rust", "rust", ".rs", "// %%", "let x = 1;\n:dep a"),
    ],
)
def test_other_languages(kernel: str, language: str, suffix: str, marker: str, source: str) -> None:
    """A notebook in another language becomes a script in it, with its comment marks, and back."""
    spec = {"kernelspec": {"name": kernel, "display_name": "K", "language": language}}
    write("a.ipynb", source, cell("# T", "markdown"), "2", metadata=spec)
    before = cells("a.ipynb")
    convert("a.ipynb")
    assert marker in Path(f"a{suffix}").read_text().splitlines()
    Path("a.ipynb").unlink()
    convert(f"a{suffix}")
    assert cells("a.ipynb") == before
    assert json.loads(Path("a.ipynb").read_text())["metadata"]["kernelspec"]["name"] == kernel
    assert not convert("a.ipynb").changed


def test_a_language_that_no_script_has_is_refused() -> None:
    """The sentence names it."""
    spec = {"kernelspec": {"name": "zz", "display_name": "Z", "language": "klingon"}}
    write("a.ipynb", "x", metadata=spec)
    assert refused("a.ipynb") == "a.ipynb: is in 'klingon', and jupytext has no scripts in it"
    write("b.ipynb", "x", metadata={"kernelspec": {"name": "zz", "display_name": "Z"}})
    assert "says not in which language it is" in refused("b.ipynb")


def test_odd_notebooks_are_converted() -> None:
    """Without ids, with doubled ones, without metadata, with raw cells, with Windows line ends."""
    write("no.ipynb", "x = 1", metadata={}, nbformat_minor=0)
    write("twice.ipynb", cell("x", id="a"), cell("y", id="a"), nbformat_minor=5)
    write("raw.ipynb", cell("---\ntitle: x\n---", "raw"), cell("", "raw"), "x")
    write("crlf.ipynb", "x = 1\r\ny = 2\r\n")
    write("none.ipynb")
    data = Path("crlf.ipynb").read_bytes()
    Path("mark.ipynb").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    for name in ("no", "twice", "raw", "crlf", "mark", "none"):
        before = Path(f"{name}.ipynb").read_bytes()
        convert(f"{name}.ipynb")
        convert(f"{name}.py", f"{name}-back.ipynb")
        assert Path(f"{name}.ipynb").read_bytes() == before
        wanted = [(kind, text.replace("\r\n", "\n").rstrip()) for kind, text in cells_of(before)]
        assert [(kind, text.rstrip()) for kind, text in cells(f"{name}-back.ipynb")] == wanted
        nbformat.validate(nbformat.read(f"{name}-back.ipynb", as_version=4))


def cells_of(data: bytes) -> list[tuple[str, str]]:
    """Kind and source of each cell of a notebook's bytes."""
    found = json.loads(data.decode("utf-8-sig"))["cells"]
    return [(one["cell_type"], "".join(one["source"])) for one in found]


def test_a_notebook_in_nbformat_3_is_converted_and_left_as_it_is() -> None:
    """An old notebook becomes a script; it is not made a newer one on the side."""
    code = {"cell_type": "code", "language": "python", "input": ["!ls"], "outputs": []}
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [{**code, "prompt_number": 1, "collapsed": False}]}],
    }
    Path("a.ipynb").write_text(json.dumps(old))
    convert("a.ipynb")
    assert Path("a.py").read_text().endswith("# %%\n# !ls\n")
    assert json.loads(Path("a.ipynb").read_text()) == old
    assert not convert("a.ipynb").changed


def test_scripts_with_a_mark_windows_ends_or_no_end_keep_them() -> None:
    """A byte order mark, CRLF and a missing last line end stay, where the file stays."""
    for name, data in {
        "mark.py": b"\xef\xbb\xbf# %%\nx = 1\n",
        "crlf.py": b"# %%\r\nx = 1\r\n",
        "end.py": b"# %%\nx = 1",
    }.items():
        Path(name).write_bytes(data)
        convert(name)
        book = Path(name).with_suffix(".ipynb")
        assert sources(str(book)) == ["x = 1"]
        assert not convert(str(book)).changed
        assert Path(name).read_bytes() == data
        book.write_text(book.read_text().replace("x = 1", "x = 2"))
        convert(str(book))
        assert Path(name).read_bytes()[:6] == data[:6]
        assert (b"\r\n" in Path(name).read_bytes()) == (b"\r\n" in data)


def test_a_read_only_file_and_links() -> None:
    """A read-only file is left as it is, and said; a link stays one; a mode is kept."""
    write("a.ipynb", "x = 1")
    convert("a.ipynb")
    Path("a.py").chmod(0o640)
    write("a.ipynb", "x = 2")
    convert("a.ipynb")
    assert stat.S_IMODE(Path("a.py").stat().st_mode) == 0o640
    Path("a.py").chmod(0o444)
    write("a.ipynb", "x = 3")
    assert refused("a.ipynb") == "a.py: can't be written: it is read-only"
    Path("a.py").chmod(0o644)
    Path("a.py").rename("real.py")
    Path("a.py").symlink_to("real.py")
    convert("a.ipynb")
    assert Path("a.py").is_symlink()
    assert "x = 3" in Path("real.py").read_text()


def test_an_unchanged_file_is_not_touched() -> None:
    """Not even its time."""
    write("a.ipynb", "x = 1")
    convert("a.ipynb")
    os.utime("a.py", (1, 1))
    inode = Path("a.py").stat().st_ino
    convert("a.ipynb")
    convert("a.py")
    assert (Path("a.py").stat().st_mtime, Path("a.py").stat().st_ino) == (1, inode)


def test_a_full_disk_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be written is one line, and the file before stays whole."""
    write("a.ipynb", "x = 1")
    convert("a.ipynb")
    write("a.ipynb", "x = 2")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refused("a.ipynb") == "a.py: can't be written: No space left on device"
    assert sorted(path.name for path in Path().iterdir()) == ["a.ipynb", "a.py"]
