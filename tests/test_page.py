"""The HTML page of a notebook: it shows figures and tables, and nothing of it can run."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nbbg.notebook import ansi, cleaning, page
from tests.browser import EVIL, SCRIPT, in_browser

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
    )
).decode()
FIGURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">'
    f'<rect width="40" height="30" fill="red"/><script>top.{SCRIPT}</script></svg>'
)
TABLE = (
    "<div><style scoped>td { color: red }</style><table border='1'><tr><td>0.25</td></tr></table>"
)


def display(metadata: Json | None = None, **data: Any) -> Json:
    """A display; `_` in the name of a kind is its `/`."""
    kinds = {kind.replace("_", "/"): value for kind, value in data.items()}
    return {"output_type": "display_data", "metadata": metadata or {}, "data": kinds}


def a_notebook(*outputs: Json, markdown: str = "", source: str = "1", **metadata: Any) -> Json:
    """A notebook of a Markdown, a raw and a code cell."""
    code = {"cell_type": "code", "execution_count": 1, "source": source, "outputs": list(outputs)}
    return {
        "metadata": metadata,
        "cells": [
            {"cell_type": "markdown", "source": markdown},
            {"cell_type": "raw", "source": markdown},
            code,
        ],
    }


def test_nothing_in_it_runs(tmp_path: Path) -> None:
    """Scripts, handlers and links of every cell, output and name are text or gone, in a browser."""
    hostile = a_notebook(
        {"output_type": "stream", "name": EVIL, "text": EVIL},
        {"output_type": "error", "ename": EVIL, "evalue": EVIL, "traceback": [EVIL]},
        display(text_html=EVIL),
        display(text_markdown=EVIL),
        display(text_latex=EVIL),
        display(application_javascript=SCRIPT, text_plain=EVIL),
        display({"image/png": {"width": f'1" onload="{SCRIPT}'}}, image_png=PIXEL),
        display(image_png=f'x" onerror="{SCRIPT}'),
        display({EVIL: EVIL}, **{EVIL: EVIL}),
        {**display(), "data": {"image/svg+xml": [FIGURE]}},
        markdown=EVIL,
        source=EVIL,
        kernelspec={"language": EVIL},
    )
    hostile["cells"][2]["execution_count"] = EVIL
    html = page.render(hostile, EVIL, EVIL)
    shown = in_browser(html, tmp_path)
    assert shown.count('<div class="cell">') == 3  # it has not gone to another page
    assert 'data-ran="yes"' not in shown
    tags = set(re.findall(r"<(\w+)", shown))
    assert not tags & {"script", "iframe", "svg", "form", "input", "object", "base", "math"}
    assert not re.search(r"<[^>]* on\w+=", shown)
    assert not re.search(r'<\w+ [^>]*(href|src)="\s*(java|data:(?!image))', shown)
    assert shown.count("<style") == 1


def test_the_browser_would_have_run_it(tmp_path: Path) -> None:
    """The same script, in a page that is not ours, does run: the test above can fail."""
    assert 'data-ran="yes"' in in_browser(f"<p><script>{SCRIPT}</script>".encode(), tmp_path)


def test_the_page_forbids_what_may_slip_through(tmp_path: Path) -> None:
    """Should a script get past the cleaning, the page's own policy stops it."""
    evil = f'<script>{SCRIPT}</script><img src="x" onerror="{SCRIPT}"></body>'
    html = page.render(a_notebook(), "t", "a").replace(b"</body>", evil.encode())
    shown = in_browser(html, tmp_path)
    assert f"<script>{SCRIPT}" in shown
    assert 'data-ran="yes"' not in shown


def test_figures_and_tables_are_shown() -> None:
    """Tables as tables, images in the page itself, Markdown as text, colours as colours."""
    size = {"image/png": {"width": 7}}
    shown = page.render(
        a_notebook(
            display(text_html=TABLE, text_plain="no"),
            display(size, image_png=PIXEL[:9] + "\n" + PIXEL[9:], text_plain="no"),
            {**display(text_plain="no"), "data": {"image/svg+xml": FIGURE}},
            {"output_type": "stream", "name": "stderr", "text": "\x1b[31mred\x1b[0m <b>"},
            display(text_html="<div id='plot'></div><script>draw()</script>", text_plain="Plot()"),
            display(text_plain="plain"),
            markdown="# Title\n\n| a |\n|-|\n| *1* |\n\n![x](attachment:p.png) <b>bold</b>",
        )
        | {"metadata": {}},
        "train.ipynb",
        "succeeded",
    ).decode()
    assert "<td>0.25</td>" in shown
    assert f'width="7" src="data:image/png;base64,{PIXEL}"' in shown
    assert f"data:image/svg+xml;base64,{base64.b64encode(FIGURE.encode()).decode()}" in shown
    assert '<span style="color:#b22b31">red</span> &lt;b&gt;' in shown
    assert '<pre>Plot()</pre><p class="left-out">an output that needs scripts' in shown
    assert "<h1>Title</h1>" in shown
    assert "<td><em>1</em></td>" in shown
    assert "<b>bold</b>" in shown
    assert ">no<" not in shown


@pytest.mark.parametrize("address", ["da\tta:text/html,x", " data:text/html,x", "JAVA\nscript:x"])
def test_an_address_that_hides_what_it_is(address: str) -> None:
    """A link is one to follow, whatever a browser leaves out of its address."""
    assert "text/html" not in cleaning.clean(f'<a href="{address}">x</a><q cite="{address}">y</q>')
    assert "script" not in cleaning.clean(f'<a href="{address}">x</a><q cite="{address}">y</q>')
    link = '<a href="sub/page.html#a:b">x</a><a href="https://example.org/?a=b:c">y</a>'
    assert cleaning.clean(link).count("href") == 2


def test_an_attachment_is_in_the_page() -> None:
    """The image that a Markdown cell carries is shown; one from elsewhere is not asked for."""
    cell = {
        "source": "![x](attachment:p.png) ![y](http://127.0.0.1:9/y.png)",
        "attachments": {"p.png": {"image/png": PIXEL}},
    }
    for odd in ([1], {"p.png": "x"}, {"p.png": {"image/png": 5}}):
        assert "<b>" not in cleaning.from_markdown({"source": "**y**", "attachments": odd})
    shown = cleaning.from_markdown(cell)
    assert f'src="data:image/png;base64,{PIXEL}"' in shown
    assert "127.0.0.1" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a<b", "a&lt;b"),
        ("\x1b[1;32mx\x1b[22my\x1b[39mz", "bold;color:#00a250|color:#00a250|z"),
        ("\x1b[38;5;196mx\x1b[48;2;1;2;3my\x1b[mz", "color:rgb(255,0,0)|background:rgb(1,2,3)|z"),
        ("\x1b[38;5;232mx", "color:rgb(8,8,8)"),
        (f"\x1b[{'9' * 5000};31mx", "color:#b22b31"),
        ("\x1b[7mx", "color:#ffffff;background:#000000"),
        ("\x1b[38mx\x1b[38;5my\x1b[;;mz", "z"),
        ("\x1b[94;3;4mx", "font-style:italic;text-decoration:underline;color:#60bcff"),
    ],
)
def test_colours(text: str, shown: str) -> None:
    """Colours of a terminal become styles, whatever their form; half of one does no harm."""
    html = ansi.to_html(text)
    assert all(part in html for part in shown.split("|")), html


def test_without_the_extra() -> None:
    """Where the libraries for it are not installed, a sentence says what to type."""
    code = """
import sys
sys.modules["nh3"] = None
from nbbg.notebook import page
page.render({"metadata": {}, "cells": []}, "", "")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith(
        "UsageError: --html needs nh3, which is not installed\npip install 'nbbg[html]'\n"
    )
