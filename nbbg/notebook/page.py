"""An executed notebook as one HTML file that needs nothing else and can do nothing.

Figures and tables are shown; nothing of the notebook's own can run in it. Everything is escaped
or cleaned (`cleaning`), SVG is an image, and the page forbids scripts, requests and forms to
itself, should anything have slipped through.
"""

from __future__ import annotations

import base64
import html
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import nbbg
from nbbg.errors import UsageError
from nbbg.notebook import ansi

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

Json = dict[str, Any]
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none';"
    " base-uri 'none'"
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em;
  color: #222; background: #fff; overflow-wrap: anywhere }
header { border-bottom: 1px solid #ccc; margin-bottom: 1.5em; color: #555 }
h1.nbbg { font-size: 1.3em; margin: 0; color: #222 }
pre { margin: 0; white-space: pre-wrap; font: 13px/1.4 ui-monospace, monospace }
.cell { margin: 1em 0 } .count { color: #777; font: 12px ui-monospace, monospace }
.source { background: #f6f6f6; border: 1px solid #ddd; padding: .5em .7em }
.output { padding: .4em .7em; overflow-x: auto } .stderr { background: #fdecea }
.left-out { color: #777; font-style: italic } img { max-width: 100% }
table { border-collapse: collapse; font-size: 13px } td, th { padding: .2em .6em; text-align: right;
  border-bottom: 1px solid #ddd }
"""
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_NEEDS_SCRIPTS = "an output that needs scripts is left out; it shows in Jupyter"


def render(notebook: Json, title: str, about: str) -> bytes:
    """The page.

    Args:
        notebook: nbformat-4 JSON, executed.
        title: of the page.
        about: a line below it.

    Raises:
        UsageError: a library that it needs is not there.
    """
    cleaning = _cleaning()
    language = (notebook["metadata"].get("kernelspec") or {}).get("language") or "python"
    highlight, colours = _highlighter(language if isinstance(language, str) else "python")
    cells = [_cell(cell, highlight, cleaning) for cell in notebook["cells"]]
    name = html.escape(title)
    header = f'<header><h1 class="nbbg">{name}</h1><p>{html.escape(about)}</p></header>'
    return whole(name, _STYLE + colours, f"{header}\n{''.join(cells)}")


def whole(title: str, style: str, body: str) -> bytes:
    """A page that asks for nothing and runs nothing, of what is escaped already."""
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="generator" content="nbbg {nbbg.__version__}">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
    return text.encode("utf-8", "replace")


def _cleaning() -> ModuleType:
    try:
        from nbbg.notebook import cleaning
    except ImportError as error:
        message = f"--html needs {error.name}, which is not installed\npip install 'nbbg[html]'"
        raise UsageError(message) from error
    return cleaning


def _highlighter(language: str) -> tuple[Callable[[str], str], str]:
    """What turns source into HTML, and the style that it needs."""
    import pygments
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        lexer = get_lexer_by_name("text", stripnl=False)
    formatter = HtmlFormatter(nowrap=True)
    style: str = formatter.get_style_defs(".source")  # type: ignore[no-untyped-call]
    return lambda source: pygments.highlight(source, lexer, formatter), style


def _cell(cell: Json, highlight: Callable[[str], str], cleaning: ModuleType) -> str:
    source = _text(cell["source"])
    if cell["cell_type"] == "markdown":
        return f'<div class="cell">{cleaning.from_markdown({**cell, "source": source})}</div>\n'
    if cell["cell_type"] != "code":
        return f'<div class="cell"><pre>{html.escape(source)}</pre></div>\n'
    count = html.escape(str(cell.get("execution_count") or " "))
    outputs = "".join(_output(output, cleaning) for output in cell["outputs"])
    return (
        f'<div class="cell"><div class="count">[{count}]</div>'
        f'<pre class="source">{highlight(source)}</pre>{outputs}</div>\n'
    )


def _output(output: Json, cleaning: ModuleType) -> str:
    kind = output["output_type"]
    if kind == "stream":
        name = "stderr" if output["name"] == "stderr" else "stdout"
        return f'<pre class="output {name}">{ansi.to_html(_text(output["text"]))}</pre>'
    if kind == "error":
        traceback = "\n".join(output["traceback"])
        return f'<pre class="output stderr">{ansi.to_html(traceback)}</pre>'
    return f'<div class="output">{_shown(output, cleaning)}</div>'


def _shown(output: Json, cleaning: ModuleType) -> str:
    """The best form of a display that is harmless."""
    data = output["data"]
    metadata = output["metadata"]
    ways: dict[str, Callable[[str], str]] = {
        "text/html": partial(_html, cleaning=cleaning),
        "image/svg+xml": _svg,
        **{image: partial(_image, kind=image, about=metadata.get(image)) for image in _IMAGES},
        "text/markdown": partial(_markdown, cleaning=cleaning),
        "text/latex": _plain,
    }
    for kind, show in ways.items():
        if kind in data and (found := show(_text(data[kind]))):
            return found
    plain = _plain(_text(data["text/plain"])) if "text/plain" in data else ""
    lost = set(data) - {"text/plain"}
    return plain + (f'<p class="left-out">{_NEEDS_SCRIPTS}</p>' if lost else "")


def _html(text: str, cleaning: ModuleType) -> str:
    cleaned: str = cleaning.clean(text)
    return cleaned if cleaning.shows_something(cleaned) else ""


def _markdown(text: str, cleaning: ModuleType) -> str:
    shown: str = cleaning.from_markdown({"source": text})
    return shown


def _svg(text: str) -> str:
    """As an image, in which a browser runs no script and asks for nothing."""
    content = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return f'<img alt="" src="data:image/svg+xml;base64,{content}">'


def _image(text: str, kind: str, about: object) -> str:
    if not _BASE64.fullmatch(text):
        return ""
    sizes = [
        f' {side}="{about[side]}"'
        for side in ("width", "height")
        if isinstance(about, dict) and isinstance(about.get(side), int)
    ]
    content = "".join(text.split())
    return f'<img alt=""{"".join(sizes)} src="data:{kind};base64,{content}">'


def _plain(text: str) -> str:
    return f"<pre>{ansi.to_html(text)}</pre>"


def _text(value: object) -> str:
    """What nbformat allows to be a text or a list of lines."""
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else str(value)
