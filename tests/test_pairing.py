"""Pairs: a notebook and its script say the same, and no work is lost on the way."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.sign import NotebookNotary

from nbbg.errors import NotebookError
from nbbg.notebook import document, pairing
from nbbg.notebook.pairing import Side
from tests.memory import Kept

if TYPE_CHECKING:
    from nbbg.notebook.writing import Report

FORMATS = {"formats": "ipynb,py:percent"}
memory = Kept()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    memory.records.clear()


def pair(path: Path, formats: str = "") -> Report:
    """Pair a file."""
    return pairing.pair(path, memory, formats)


def sync(path: Path, side: Side | None = None) -> Report:
    """Sync a pair."""
    return pairing.sync(path, memory, side)


def write(name: str, *cells: str, **metadata: Any) -> Path:
    """Write a notebook of code cells as Jupyter does, each with an output that names its cell."""
    made = [
        nbformat.v4.new_code_cell(
            source,
            id=f"cell-{number}",
            execution_count=number,
            outputs=[nbformat.v4.new_output("stream", text=f"out {number}\n")],
        )
        for number, source in enumerate(cells, 1)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=metadata), name)
    return Path(name)


def code(name: str) -> list[str]:
    """The sources in a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(Path(name).read_text())["cells"]]


def body(name: str) -> str:
    """A script without its header."""
    return Path(name).read_text().split("# ---\n")[-1].strip()


def later(name: str, text: str) -> None:
    """Write a file, certainly later than all that was written before."""
    path = Path(name)
    path.write_text(text)
    newest = max(file.stat().st_mtime_ns for file in Path().iterdir())
    os.utime(path, ns=(newest + 10_000_000, newest + 10_000_000))


def edit(name: str, old: str, new: str) -> None:
    """Edit a file as a person would."""
    text = Path(name).read_text()
    assert old in text
    later(name, text.replace(old, new))


def snapshot() -> dict[str, tuple[bytes, int]]:
    """Content and time of every file here."""
    files = [path for path in Path().rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def jupytext(*arguments: str) -> None:
    """Run jupytext itself."""
    subprocess.run([sys.executable, "-m", "jupytext", "-q", *arguments], check=True)


def refused(name: str) -> str:
    """What is said when a pair is refused, which leaves everything as it was."""
    before = snapshot()
    with pytest.raises(NotebookError) as caught:
        pair(Path(name))
    assert snapshot() == before
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_pairing_a_notebook_makes_its_script() -> None:
    """The script is beside the notebook, both say that they are a pair, outputs stay."""
    write("a.ipynb", "x = 1\n!ls", "# rm x")
    report = pair(Path("a.ipynb"))
    assert str(report) == "a.ipynb <-> a.py: a.py made, a.ipynb updated"
    assert body("a.py") == "# %%\nx = 1\n# !ls\n\n# %%\n# # rm x"
    notebook = json.loads(Path("a.ipynb").read_text())
    assert notebook["metadata"]["jupytext"] == FORMATS
    assert notebook["cells"][0]["outputs"][0]["text"] == ["out 1\n"]
    assert notebook["cells"][0]["id"] == "cell-1"
    assert document.load(Path("a.py")).source_hash == document.load(Path("a.ipynb")).source_hash


def test_pairing_a_script_makes_its_notebook() -> None:
    """The comments of the script stay comments, in both, and for jupytext too."""
    Path("a.py").write_text("import os\n# %%\n# rm x\n# copy the data\nx = 1\n# %%\n# a comment\n")
    report = pair(Path("a.py"))
    assert str(report) == "a.ipynb <-> a.py: a.ipynb made, a.py updated"
    assert report.notes == (
        "a.py:3: `# rm x` stays a comment",
        "a.py:4: `# copy the data` stays a comment",
    )
    assert report.kept == ()
    assert code("a.ipynb") == ["import os", "# rm x\n# copy the data\nx = 1", "# a comment"]
    sources, script = code("a.ipynb"), Path("a.py").read_text()
    jupytext("--sync", "a.ipynb")
    assert (code("a.ipynb"), Path("a.py").read_text()) == (sources, script)


def test_jupytext_sees_an_ordinary_pair() -> None:
    """jupytext finds nothing to change in a pair that nbbg made, and edits travel through both."""
    spec = {"name": "python3", "display_name": "P", "language": "python"}
    write("a.ipynb", "x = 1\n%time y = 2", kernelspec=spec)
    pair(Path("a.ipynb"))
    before = Path("a.ipynb").read_text(), Path("a.py").read_text()
    jupytext("--sync", "a.py")
    assert (Path("a.ipynb").read_text(), Path("a.py").read_text()) == before
    edit("a.py", "x = 1", "x = 5")
    jupytext("--sync", "a.py")
    assert not sync(Path("a.py")).changed
    assert code("a.ipynb") == ["x = 5\n%time y = 2"]


def test_a_pair_that_says_the_same_is_not_touched() -> None:
    """Syncing and pairing again write nothing, whatever the times of the files say."""
    write("a.ipynb", "x = 1\n\n", "%ls", "y = 2\n# comment")
    pair(Path("a.ipynb"))
    for name in ("a.ipynb", "a.py"):
        later(name, Path(name).read_text())
        before = snapshot()
        assert str(sync(Path(name))) == "a.ipynb <-> a.py: the same, nothing to do"
        assert not pair(Path(name)).changed
        assert snapshot() == before


def test_an_edited_script_goes_to_the_notebook() -> None:
    """Outputs, ids and metadata of the cells that stay are kept; the script is left as it is."""
    write("a.ipynb", "x = 1", "!ls", "y = 2")
    pair(Path("a.ipynb"))
    edit("a.py", "x = 1", "x = 1\n\n# %%\nz = 3")
    script = snapshot()["a.py"]
    report = sync(Path("a.ipynb"))
    assert str(report) == "a.ipynb <-> a.py: a.ipynb updated"
    assert snapshot()["a.py"] == script
    cells = json.loads(Path("a.ipynb").read_text())["cells"]
    assert [cell["source"] for cell in cells] == [["x = 1"], ["z = 3"], ["!ls"], ["y = 2"]]
    assert [cell["execution_count"] for cell in cells] == [1, None, 2, 3]
    assert [cell["id"] for cell in cells][2] == "cell-2"
    nbformat.validate(nbformat.read("a.ipynb", as_version=4))


def test_an_edited_notebook_goes_to_the_script() -> None:
    """What was written in Jupyter arrives in the script, text and kernel too."""
    write(
        "a.ipynb",
        "x = 1",
        kernelspec={"name": "python3", "display_name": "P", "language": "python"},
    )
    pair(Path("a.ipynb"))
    edit("a.ipynb", "x = 1", "x = 2\\n!pwd")
    assert str(sync(Path("a.py"))) == (
        "a.ipynb <-> a.py: a.py updated, the version before is .a.py.~1~"
    )
    assert body("a.py") == "# %%\nx = 2\n# !pwd"
    edit("a.ipynb", '"python3"', '"other"')
    assert str(sync(Path("a.py"))) == "a.ipynb <-> a.py: a.py updated"
    assert "#     name: other" in Path("a.py").read_text()


def test_where_both_were_edited_nothing_is_written() -> None:
    """The cells that differ are named; the side that is chosen wins, and the other is kept."""
    write("a.ipynb", "x = 1", "y = 1", jupytext=FORMATS)
    pair(Path("a.ipynb"))
    edit("a.py", "x = 1", "x = 'from the script'")
    edit("a.ipynb", "x = 1", "x = 'from the notebook'")
    before = snapshot()
    for name in ("a.py", "a.ipynb"):
        with pytest.raises(NotebookError) as caught:
            sync(Path(name))
        assert str(caught.value) == (
            "a.ipynb and a.py were both edited: cell 1 differs: `x = 'from the notebook'` /"
            " `x = 'from the script'`\n"
            "nothing was written; choose: nbbg sync a.py --from script (or notebook)"
        )
    assert snapshot() == before
    report = sync(Path("a.py"), Side.NOTEBOOK)
    assert code("a.ipynb") == ["x = 'from the notebook'", "y = 1"]
    assert [path.name for path in report.kept] == [".a.py.~1~"]
    assert "from the script" in Path(".a.py.~1~").read_text()
    edit("a.py", "the notebook", "the script again")
    edit("a.ipynb", "y = 1", "y = 2")
    assert [path.name for path in sync(Path("a.py"), Side.SCRIPT).kept] == [".a.ipynb.~1~"]
    assert code("a.ipynb") == ["x = 'from the script again'", "y = 1"]
    assert "y = 2" in Path(".a.ipynb.~1~").read_text()
    assert not sync(Path("a.py")).changed


def test_older_versions_are_kept_ten_times() -> None:
    """What a sync has replaced stays beside, the newest ten."""
    pair(write("a.ipynb", "x = 1"))
    for number in range(2, 15):
        edit("a.ipynb", re.findall(r"x\d* =", Path("a.ipynb").read_text())[0], f"x{number} =")
        sync(Path("a.py"))
    kept = sorted(int(path.name.split("~")[1]) for path in Path().glob(".a.py.~*~"))
    assert kept == list(range(4, 14))


def test_times_decide_nothing() -> None:
    """A touched file wins nothing; a side that was edited wins also where it is the older one."""
    pair(write("a.ipynb", "x = 1"))
    edit("a.py", "x = 1", "x = 2")
    os.utime("a.py", (0, 0))
    assert sync(Path("a.ipynb")).updated == (Path("a.ipynb").absolute(),)
    assert code("a.ipynb") == ["x = 2"]
    edit("a.ipynb", "x = 2", "x = 3")
    os.utime("a.ipynb", (0, 0))
    later("a.py", Path("a.py").read_text())
    sync(Path("a.ipynb"))
    assert body("a.py") == "# %%\nx = 3"


def test_without_a_record_a_person_is_asked() -> None:
    """After a checkout, halves that say the same are a pair; others stay as they are."""
    pair(write("a.ipynb", "x = 1"))
    memory.records.clear()
    assert not sync(Path("a.py")).changed
    edit("a.py", "x = 1", "x = 2")
    assert sync(Path("a.py")).changed
    memory.records.clear()
    edit("a.py", "x = 2", "x = 3")
    before = snapshot()
    with pytest.raises(NotebookError, match="differ, and nbbg has not seen them the same: cell 1"):
        sync(Path("a.py"))
    assert snapshot() == before
    sync(Path("a.py"), Side.SCRIPT)
    assert code("a.ipynb") == ["x = 3"]


def test_a_comment_in_english_does_not_become_a_command() -> None:
    """`# copy the data` stays a comment; a magic is one, and is said; a known command stays one."""
    write("a.ipynb", "x = 1\nls -l")
    pair(Path("a.ipynb"))
    edit("a.py", "x = 1", "x = 2\n# copy the data\n# !echo new\n# really?\n# y = %time 1")
    report = sync(Path("a.py"))
    sources = ["x = 2\n# copy the data\n!echo new\n# really?\ny = %time 1\nls -l"]
    assert code("a.ipynb") == sources
    assert report.notes == (
        "a.py:15: `!echo new` is a command now",
        "a.py:17: `y = %time 1` is a command now",
        "a.py:14: `# copy the data` stays a comment",
        "a.py:16: `# really?` stays a comment",
    )
    jupytext("--sync", "a.py")
    assert not sync(Path("a.py")).changed
    assert code("a.ipynb") == sources


def test_a_command_over_several_lines_stays_whole() -> None:
    """The lines that go on with a command become commands with it."""
    write("a.ipynb", "x = 1")
    pair(Path("a.ipynb"))
    edit("a.py", "x = 1", "x = 1\n# !echo a \\\n#   b \\\n#   c")
    sync(Path("a.py"))
    assert code("a.ipynb") == ["x = 1\n!echo a \\\n  b \\\n  c"]


def test_cells_in_other_languages_travel_both_ways() -> None:
    """A cell of another language is a comment in the script and itself in the notebook."""
    write("a.ipynb", "%%bash\necho 1\nrm -f x", "%%time\nx = 1", "%%html\n<b>x</b>")
    pair(Path("a.ipynb"))
    edit("a.py", "# echo 1", "# echo 2")
    sync(Path("a.py"))
    assert code("a.ipynb") == ["%%bash\necho 2\nrm -f x", "%%time\nx = 1", "%%html\n<b>x</b>"]


def test_python_that_jupytext_comments_out_is_said() -> None:
    """`ls += [1]` is Python; the pair keeps it, and the report says what the script does."""
    write("a.ipynb", "ls = []\nls += [1]\nprint(ls)")
    report = pair(Path("a.ipynb"))
    assert len(report.notes) == 1
    assert report.notes[0] == (
        "code cell 1: `ls += [1]` is a comment in a.py, since jupytext takes it for a command;"
        " nbbg runs the notebook's cells"
    )
    assert document.load(Path("a.py")).notebook["cells"][0]["source"].splitlines()[1] == "ls += [1]"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 'a\u2028b'", "line 1: `x = 'a\\u2028b'` would not read back as it is"),
        ("x = 'a\x0cb'", "line 1: `x = 'a\\u000cb'` would not read back as it is"),
        ("%%\nx", "line 1: `%%` would not read back as it is"),
    ],
)
def test_a_conversion_that_loses_code_is_refused(source: str, line: str) -> None:
    """Code that would not read back as it is stops the pairing, with the cell and the line."""
    write("a.ipynb", "ok = 1", source, "more = 1")
    assert refused("a.ipynb") == (
        f"a.ipynb: code cell 2, {line} in a.py;\n"
        "nothing was written; change that cell, then try again"
    )


def test_another_file_of_that_name_is_refused() -> None:
    """What is there already and has other code is never replaced by a pairing."""
    write("a.ipynb", "x = 1")
    Path("a.py").write_text("# %%\nx = 2\n")
    said = "a.py: is there already, and its code is not that of a.ipynb; move one of them away"
    assert refused("a.ipynb") == said
    assert "a.ipynb: is there already" in refused("a.py")
    Path("a.py").write_text("import module\n")
    assert refused("a.ipynb") == said
    write("a.ipynb", "x = 1", jupytext=FORMATS)
    Path("a.py").write_text("# %%\nx = 2\n")
    assert refused("a.ipynb").endswith("; nbbg sync a.ipynb")


def test_two_files_of_the_same_code_become_a_pair() -> None:
    """A script and a notebook with the same code are paired as they are, outputs kept."""
    write("a.ipynb", "!ls\n# rm x")
    Path("a.py").write_text("# %%\n# !ls\n# # rm x\n")
    assert pair(Path("a.py")).changed
    assert code("a.ipynb") == ["!ls\n# rm x"]
    assert "out 1" in Path("a.ipynb").read_text()
    write("b.ipynb", "# !ls\n# rm x")
    Path("b.py").write_text("# %%\n# !ls\n# rm x\n")
    assert pair(Path("b.ipynb")).changed
    assert code("b.ipynb") == ["# !ls\n# rm x"]
    assert body("b.py") == "# %%\n# # !ls\n# # rm x"


def test_a_missing_half_is_made() -> None:
    """Syncing makes the half that is not there, unless a comment could be a command."""
    write("a.ipynb", "x = 1\n!ls")
    pair(Path("a.ipynb"))
    Path("a.py").unlink()
    assert str(sync(Path("a.ipynb"))) == "a.ipynb <-> a.py: a.py made"
    Path("a.ipynb").unlink()
    assert str(sync(Path("a.py"))) == "a.ipynb <-> a.py: a.ipynb made"
    assert code("a.ipynb") == ["x = 1\n!ls"]
    Path("a.ipynb").unlink()
    memory.records.clear()
    assert refused("a.py") == (
        "a.py:14: `# !ls` is a command or a comment; a.ipynb, which would tell, is not there.\n"
        "A command: nbbg sync --from script a.py. "
        "A comment: take `formats:` out of its header first"
    )
    edit("a.py", "# !ls", "# # !ls")
    assert str(sync(Path("a.py"))) == "a.ipynb <-> a.py: a.ipynb made"
    assert code("a.ipynb") == ["x = 1\n# !ls"]


def test_jupytexts_configuration_is_honoured() -> None:
    """A configuration file says where the script goes; the notebook need not say it again."""
    Path("jupytext.toml").write_text('formats = "notebooks///ipynb,scripts///py:percent"\n')
    Path("notebooks").mkdir()
    book = write("notebooks/a.ipynb", "x = 1")
    before = book.read_bytes()
    report = pair(book)
    assert str(report) == "notebooks/a.ipynb <-> scripts/a.py: scripts/a.py made"
    assert book.read_bytes() == before
    script = Path("scripts/a.py")
    script.write_text(script.read_text().replace("x = 1", "x = 2\n# !ls"))
    os.utime(script, ns=(book.stat().st_mtime_ns + 10**7,) * 2)
    assert sync(script).updated == (book.absolute(),)
    assert code("notebooks/a.ipynb") == ["x = 2\n!ls"]
    assert document.load(script).notebook["cells"][0]["source"] == "x = 2\n!ls"


def test_a_text_file_in_markdown_is_a_pair_too() -> None:
    """Whatever text format jupytext pairs with is synced."""
    write("a.ipynb", "x = 1")
    assert str(pair(Path("a.ipynb"), "ipynb,md")) == (
        "a.ipynb <-> a.md: a.md made, a.ipynb updated"
    )
    edit("a.md", "x = 1", "x = 2")
    sync(Path("a.md"))
    assert code("a.ipynb") == ["x = 2"]
    with pytest.raises(NotebookError, match=r"formats 'py' do not pair it with anything"):
        pair(write("b.ipynb", "x"), "py")


def test_a_notebook_in_another_language_has_a_script_in_it() -> None:
    """A notebook in R is paired with an .R, not with a .py full of comments."""
    spec = {"name": "ir", "display_name": "R", "language": "R"}
    write("a.ipynb", "x <- 1", kernelspec=spec)
    assert str(pair(Path("a.ipynb"))) == "a.ipynb <-> a.R: a.R made, a.ipynb updated"
    assert body("a.R") == "# %%\nx <- 1"
    edit("a.R", "x <- 1", "x <- 2")
    assert sync(Path("a.R")).changed
    assert code("a.ipynb") == ["x <- 2"]


def test_what_is_not_paired_is_said() -> None:
    """A notebook without a pair is a sentence, and the others are synced."""
    write("a.ipynb", "x = 1")
    pair(write("b.ipynb", "x = 1"))
    first = sync(Path("a.ipynb"))
    assert (first.paired, str(first)) == (
        False,
        "a.ipynb: is not paired; pair it with: nbbg pair a.ipynb",
    )
    assert str(sync(Path("b.ipynb"))) == "b.ipynb <-> b.py: the same, nothing to do"


def test_a_file_that_changes_meanwhile_is_not_overwritten() -> None:
    """A save of an editor between reading and writing wins."""
    from nbbg.notebook import userfiles

    Path("a.py").write_text("one")
    file = userfiles.read(Path("a.py"))
    later("a.py", "two")
    with pytest.raises(NotebookError, match="somebody else wrote it just now"):
        file.replace("three", keep=True)
    assert [path.name for path in Path().iterdir()] == ["a.py"]
    assert Path("a.py").read_text() == "two"


def test_modes_links_and_line_ends_are_kept() -> None:
    """A replaced file keeps its mode, a link stays a link, and CRLF stays CRLF."""
    write("real.ipynb", "x = 1")
    Path("real.ipynb").chmod(0o640)
    Path("a.ipynb").symlink_to("real.ipynb")
    pair(Path("a.ipynb"))
    assert Path("a.ipynb").is_symlink()
    assert stat.S_IMODE(Path("real.ipynb").stat().st_mode) == 0o640
    Path("a.py").write_bytes(Path("a.py").read_bytes().replace(b"\n", b"\r\n"))
    edit("a.ipynb", "x = 1", "x = 2\\ny = 3")
    sync(Path("a.ipynb"))
    assert b"x = 2\r\ny = 3\r\n" in Path("a.py").read_bytes()


def test_a_notebook_keeps_its_layout() -> None:
    """Indentation, escapes and the end of the file stay as another editor left them."""
    write("a.ipynb", "x = 'é'")
    notebook = json.loads(Path("a.ipynb").read_text())
    Path("a.ipynb").write_text(json.dumps(notebook, indent=2))
    pair(Path("a.ipynb"))
    text = Path("a.ipynb").read_text()
    assert text.startswith('{\n  "cells"')
    assert text.endswith("}")
    assert "\\u00e9" in text


def test_trust_in_a_notebook_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that Jupyter trusted is trusted after it was paired, and no other is."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(Path("data").absolute()))
    Path("data").mkdir()
    trusted, other = write("a.ipynb", "x = 1"), write("b.ipynb", "x = 2")
    with NotebookNotary(data_dir="data") as notary:
        notary.sign(nbformat.read(trusted, as_version=4))
        pair(trusted)
        pair(other)
        assert notary.check_signature(nbformat.read(trusted, as_version=4))
        assert not notary.check_signature(nbformat.read(other, as_version=4))


def test_an_old_notebook_is_not_paired() -> None:
    """A notebook in nbformat 3 is not converted on the side."""
    Path("a.ipynb").write_text('{"nbformat": 3, "worksheets": []}')
    assert refused("a.ipynb") == (
        "a.ipynb: is in nbformat 3, and a pair needs 4; save it in Jupyter first"
    )


LINES = st.sampled_from(
    [
        *(
            "x = 1",
            "",
            "    y = 2",
            "# comment",
            "# copy it",
            "# # rm x",
            "#!/bin/sh",
            "'''",
            '"""',
        ),
        *("!ls", "# !ls", "%time x", "%%bash", "%%time", "ls", "ls += [1]", "cat = 2", "?x", "x?"),
        *("# %%", "# %% [markdown]", "# +", "# -", "x = !ls", "!echo \\", "it's", 's = "# %%"'),
        *("# ---", "# jupyter:", "rm -rf /", "# real?", "for i in x:", "    !ls", "\ty", "x \\"),
    ]
)
CELLS = st.lists(st.lists(LINES, max_size=4).map("\n".join), min_size=1, max_size=4)


@given(CELLS)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_pair_that_is_made_has_one_code(tmp_path: Path, cells: list[str]) -> None:
    """A pair is made with the same code in both halves, is then in sync, or is refused."""
    for path in tmp_path.iterdir():
        path.unlink()
    book = write("a.ipynb", *cells)
    try:
        pair(book)
    except NotebookError:
        assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]
        return
    assert code("a.ipynb") == cells
    script = document.load(Path("a.py"))
    assert script.source_hash == document.load(book).source_hash
    assert not sync(book).changed
    later("a.py", Path("a.py").read_text())
    assert not sync(book).changed
