"""Reading notebooks: any input becomes one nbformat-4 notebook, or one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbbg.errors import NotebookError
from nbbg.notebook import document

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def cell(source: str | list[str], kind: str = "code", **more: Any) -> dict[str, Any]:
    """A cell as Jupyter writes it."""
    extra = {"outputs": [], "execution_count": 3} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": source, **extra, **more}


def write(name: str, *cells: dict[str, Any], **more: Any) -> Path:
    """Write a notebook."""
    notebook = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}
    path = Path(name)
    path.write_text(json.dumps(notebook, indent=1))
    return path


def sources(doc: document.Document) -> list[str]:
    """The sources of all cells."""
    return [cell["source"] for cell in doc.notebook["cells"]]


def message(path: str | Path) -> str:
    """What is said about a notebook that can't be read."""
    with pytest.raises(NotebookError) as caught:
        document.load(Path(path))
    text = str(caught.value)
    assert 1 <= len(text.splitlines()) <= 2
    return text


def test_outputs_and_traces_of_earlier_runs_are_left_out() -> None:
    """What is frozen holds sources, and nothing of an earlier run or of the pairing."""
    output = {"output_type": "stream", "name": "stdout", "text": ["hi\n"]}
    metadata = {"tags": ["parameters"], "execution": {"iopub.status.idle": "2026"}, "papermill": {}}
    path = write(
        "a.ipynb",
        cell(["x = 1\n", "y = 2"], outputs=[output], metadata=metadata),
        cell("# Title", "markdown", attachments={"a.png": {}}),
        metadata={"widgets": {}, "jupytext": {"formats": "ipynb,py"}, "authors": ["me"]},
    )
    doc = document.load(path)
    code, text = doc.notebook["cells"]
    assert (code["source"], code["outputs"], code["execution_count"]) == ("x = 1\ny = 2", [], None)
    assert code["metadata"] == {"tags": ["parameters"]}
    assert text["attachments"] == {"a.png": {}}
    assert doc.notebook["metadata"] == {"authors": ["me"]}


def test_the_hash_is_of_the_code_alone() -> None:
    """Text, metadata, outputs, ids, empty cells and line ends make no other experiment."""
    first = document.load(write("a.ipynb", cell("x = 1"), cell("y = 2")))
    second = document.load(
        write(
            "b.ipynb",
            cell("# Text", "markdown"),
            cell("x = 1\r\n", outputs=[{"output_type": "stream"}], id="other"),
            cell(""),
            cell("y = 2\n\n", metadata={"tags": ["t"]}),
            metadata={"kernelspec": {"name": "python3"}},
        )
    )
    assert first.source_hash == second.source_hash
    assert first.source_hash != document.load(write("c.ipynb", cell("x = 1\ny = 2"))).source_hash
    assert first.source_hash != document.load(write("d.ipynb", cell("x = 1"))).source_hash


def test_ids_are_unique_and_the_same_each_time() -> None:
    """Missing, malformed and doubled ids are made up from the content, not from chance."""
    cells = (cell("x", id="one"), cell("y", id="one"), cell("z"), cell("w", id="not an id!"))
    path = write("a.ipynb", *cells, nbformat_minor=4)
    ids = [found["id"] for found in document.load(path).notebook["cells"]]
    assert ids[0] == "one"
    assert len(set(ids)) == 4
    assert ids == [found["id"] for found in document.load(path).notebook["cells"]]
    assert document.load(path).notebook["nbformat_minor"] == 5


def test_language_and_kernel_are_found() -> None:
    """The language is what the notebook says, and Python where it says nothing."""
    spec = {"name": "ir", "display_name": "R", "language": "R"}
    assert document.load(write("r.ipynb", metadata={"kernelspec": spec})).language == "R"
    assert document.load(write("r.ipynb", metadata={"kernelspec": spec})).kernel == "ir"
    info = {"name": "ipython", "version": "3.11"}
    assert document.load(write("p.ipynb", metadata={"language_info": info})).language == "python"
    assert document.load(write("n.ipynb", metadata={"kernelspec": None})).language == "python"
    unknown = {"kernelspec": {"name": "no-such-kernel"}}
    assert document.load(write("u.ipynb", metadata=unknown)).language == ""


def test_an_old_notebook_is_converted() -> None:
    """A notebook in nbformat 3 is read as one in nbformat 4."""
    code = {"cell_type": "code", "language": "python", "input": ["x = 1"], "outputs": []}
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [{**code, "prompt_number": 1, "collapsed": False}]}],
    }
    Path("old.ipynb").write_text(json.dumps(old))
    doc = document.load(Path("old.ipynb"))
    assert (doc.notebook["nbformat"], sources(doc)) == (4, ["x = 1"])
    Path("older.ipynb").write_text(json.dumps({**old, "worksheets": 7}))
    assert "nbformat 3 can't be converted" in message("older.ipynb")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a.ipynb: the file is empty"),
        ('{"cells": [', "a.ipynb:1:12: is cut off"),
        ('{"cells": [],\n  oops}', "a.ipynb:2:3: is not the JSON of a notebook: Expecting"),
        ('{\n<<<<<<< HEAD\n "cells"', "a.ipynb:2: holds an unfinished git merge"),
        ("[]", "a.ipynb: is no notebook: it holds a list, not an object"),
        ("{}", "a.ipynb: is JSON, but no notebook: it has no `cells`"),
        ('{"nbformat": 4}', "it has no `cells`"),
        ('{"nbformat": 4, "cells": {}}', "`cells` must be a list, and is an object"),
        ('{"nbformat": "4", "cells": []}', "`nbformat` must be a whole number, and is '4'"),
        ('{"nbformat": 5, "cells": []}', "is in nbformat 5, and nbbg reads 4 and older"),
        ('{"nbformat": 4, "cells": [3]}', "`cells[0]` must be an object, and is a number"),
        ('{"nbformat": 4, "cells": [{}]}', "`cells[0].cell_type` must be code or markdown or raw"),
        (
            '{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}',
            "`cells[0].source` must be a string or a list of strings",
        ),
        (
            '{"nbformat": 4, "cells": [{"cell_type": "code"}]}',
            "`cells[0].source` must be a string or a list of strings, and is missing",
        ),
        ('{"nbformat": 4, "cells": [], "metadata": []}', "`metadata` must be an object"),
        (
            '{"nbformat": 4, "cells": [], "metadata": {"kernelspec": "python3"}}',
            "`metadata.kernelspec` must be an object, and is 'python3'",
        ),
        ("[" * 100_000, "a.ipynb: is no notebook"),
        ('{"nbformat": ' + "9" * 5000 + "}", "a.ipynb: is no notebook"),
    ],
)
def test_what_is_no_notebook_is_said_with_its_place(text: str, said: str) -> None:
    """A malformed notebook is one or two lines: the file, the place in it, and the reason."""
    Path("a.ipynb").write_text(text)
    assert said in message("a.ipynb")


def test_files_that_can_not_be_read_are_said() -> None:
    """A missing file, a folder, another encoding, another suffix: each has its sentence."""
    write("train.ipynb", cell("x"))
    write("folder.ipynb", cell("x"))
    assert message("trian.ipynb") == "trian.ipynb: no such file; did you mean train.ipynb?"
    assert message("gone/x.ipynb") == "gone/x.ipynb: no such file, and no folder gone"
    assert message(".") == ".: is a folder, not a notebook; in it: folder.ipynb, train.ipynb"
    Path("latin.ipynb").write_bytes('{\n"é"'.encode("latin-1"))
    assert message("latin.ipynb") == "latin.ipynb:2: is not UTF-8 (byte 0xe9)"
    Path("notes.txt").write_text("hello")
    assert message("notes.txt") == "notes.txt: is neither an .ipynb nor a .py"


def test_a_file_that_fails_to_be_read_is_said() -> None:
    """An error of the system is one sentence; this file is one that not even root can read."""
    Path("a.ipynb").symlink_to("/proc/self/mem")
    assert message("a.ipynb") == "a.ipynb: can't be read: Input/output error"


def test_odd_text_is_read() -> None:
    """A byte order mark does not matter, and half a surrogate pair does not stop a launch."""
    path = write("a.ipynb", cell("x = '\ud800'"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    doc = document.load(path)
    assert sources(doc) == ["x = '?'"]
    json.dumps(doc.notebook, ensure_ascii=False).encode()


def test_a_name_without_suffix_finds_its_notebook() -> None:
    """`train` means train.ipynb or train.py; where both are there and no pair, it is asked."""
    write("a.ipynb", cell("x"))
    Path("b.py").write_text("# %%\nx = 1\n")
    write("c.ipynb", cell("x = 1"), metadata={"jupytext": {"formats": "ipynb,py:percent"}})
    Path("c.py").write_text(HEADER + "# %%\nx = 1\n")
    write("d.ipynb", cell("x"))
    Path("d.py").write_text("print(1)\n")
    Path("a").mkdir()
    assert document.resolve("a") == Path("a.ipynb")
    assert document.resolve(".") == Path()
    assert document.resolve("b") == Path("b.py")
    assert document.resolve("c") == Path("c.ipynb")
    assert document.resolve("c.py") == Path("c.py")
    with pytest.raises(NotebookError, match=r"both d.ipynb and d.py are there"):
        document.resolve("d")
    with pytest.raises(NotebookError, match=r"no such file; did you mean"):
        document.resolve("aa")


def test_a_percent_script_is_a_notebook() -> None:
    """Cells, tags and text of a percent script are those of the notebook, each time the same."""
    Path("a.py").write_text(
        'import os\n\n# %% tags=["parameters"]\nlr = 1\n\n'
        "# %% [markdown]\n# # Title\n#%%\nprint(lr)\n"
    )
    doc = document.load(Path("a.py"))
    assert sources(doc) == ["import os", "lr = 1", "# Title", "print(lr)"]
    assert [found["cell_type"] for found in doc.notebook["cells"]][2] == "markdown"
    assert doc.notebook["cells"][1]["metadata"] == {"tags": ["parameters"]}
    assert (doc.language, doc.note) == ("python", "")
    assert doc == document.load(Path("a.py"))
    json.dumps(doc.notebook)


def test_a_script_without_cells_is_refused() -> None:
    """A plain script is no notebook, and the sentence says what makes it one."""
    Path("a.py").write_text('text = """\n# %%\n"""\nprint(text)\n')
    assert message("a.py") == (
        "a.py: is one plain script: no line begins with `# %%`.\n"
        "`# %%` as its first line makes it a notebook of one cell"
    )


def test_a_script_in_another_jupytext_format_is_read() -> None:
    """A script whose header names the light format needs no percent markers."""
    Path("a.py").write_text(HEADER.replace("percent", "light") + "x = 1\n\n# text\n\ny = 2\n")
    assert sources(document.load(Path("a.py"))) == ["x = 1", "text", "y = 2"]


def test_a_line_that_jupytext_would_break_is_refused() -> None:
    """A line separator inside a string would end the line, and make code of a comment."""
    Path("a.py").write_text("# %%\nx = 1  # one\u2028import os\n")
    assert message("a.py").startswith("a.py:2: jupytext would break this line at its U+2028")
    Path("b.py").write_text("# %%\nx = 1\n\x0c\ny = 2\n")
    assert sources(document.load(Path("b.py"))) == ["x = 1\n\n\ny = 2"]


COMMENTS = """\
# %%
# !touch y
# rm x
# %cd /
# copy the data
x = 1  # %time
"""


def test_a_foreign_script_keeps_its_comments() -> None:
    """Comments that look like commands are not executed, and the first of them is named."""
    Path("a.py").write_text(COMMENTS)
    doc = document.load(Path("a.py"))
    assert sources(doc) == [COMMENTS.removeprefix("# %%\n").rstrip()]
    assert doc.note == ("a.py:2: `# !touch y` (and 3 more) stays a comment, since it is not paired")


def test_a_cell_marked_as_another_language_keeps_its_comments() -> None:
    """jupytext removes these comment marks even when told not to; nbbg does not."""
    Path("a.py").write_text(
        '# %% language="bash"\n# rm x\n\n# %% active="ipynb"\n# print(1)\n\n# %%\nprint(2)\n'
    )
    assert sources(document.load(Path("a.py"))) == ["%%bash\n# rm x", "# print(1)", "print(2)"]


def test_a_header_alone_does_not_make_commands() -> None:
    """A script that says it is paired keeps its comments while its notebook is not there."""
    Path("a.py").write_text(HEADER + COMMENTS)
    doc = document.load(Path("a.py"))
    assert "!touch y" not in sources(doc)[0].splitlines()
    assert doc.note.endswith("stays a comment, since a.ipynb is not there")


def test_a_known_pair_has_its_commands() -> None:
    """Where the notebook has the same code, commented magics are magics again."""
    Path("a.py").write_text(HEADER + "# %%\nls = []\n# ls += [1]\n# !touch y\n# # rm x\n")
    write("a.ipynb", cell("ls = []\nls += [1]\n!touch y\n# rm x\n"))
    doc = document.load(Path("a.py"))
    assert sources(doc) == ["ls = []\nls += [1]\n!touch y\n# rm x"]
    assert doc.source_hash == document.load(Path("a.ipynb")).source_hash
    assert doc.note == ""


def test_a_pair_that_only_the_notebook_declares_is_known() -> None:
    """A script without a header is one of a pair where its notebook says so and agrees."""
    Path("a.py").write_text("# %%\n# !touch y\nx = 1\n")
    declared = {"jupytext": {"formats": "ipynb,py:percent"}}
    write("a.ipynb", cell("!touch y\nx = 1"), metadata=declared)
    assert sources(document.load(Path("a.py"))) == ["!touch y\nx = 1"]
    write("a.ipynb", cell("# !touch y\nx = 1"), metadata=declared)
    assert sources(document.load(Path("a.py"))) == ["# !touch y\nx = 1"]


def test_a_pair_that_differs_is_not_guessed() -> None:
    """A commented command of a notebook that differs is neither executed nor left out silently."""
    Path("a.py").write_text(HEADER + "# %%\n# !touch y\nx = 2\n")
    write("a.ipynb", cell("!touch y\nx = 1"))
    assert message("a.py") == (
        "a.py:11: `# !touch y` is a command in a.ipynb, but the two differ, so it may also be a"
        " comment;\nsync them first: nbbg sync a.py"
    )
    write("a.ipynb", cell("x = 1"))
    assert sources(document.load(Path("a.py"))) == ["# !touch y\nx = 2"]


def test_an_ipynb_is_read_without_jupytext_and_nbformat() -> None:
    """A launch does not wait for imports that it does not need."""
    write("a.ipynb", cell("x"), metadata={"kernelspec": {"name": "python3"}})
    program = (
        "import sys; before = set(sys.modules);"
        "from pathlib import Path; from nbbg.notebook import document;"
        "document.load(document.resolve('a'));"
        "unwanted = {'jupytext', 'nbformat', 'jupyter_core', 'yaml'};"
        "print(sorted(unwanted & (set(sys.modules) - before)))"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "[]\n"


def test_jupytext_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """Warnings and logging of the libraries do not reach the terminal."""
    Path("a.py").write_text(HEADER + COMMENTS)
    document.load(Path("a.py"))
    Path("b.py").write_text("# ---\n# jupyter:\n#   a: [\n# ---\n# %%\nx = 1\n")
    assert "jupytext can't work with it" in message("b.py")
    assert capfd.readouterr() == ("", "")
