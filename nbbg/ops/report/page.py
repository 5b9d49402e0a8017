"""A report as one HTML file: no script, no request; all text is escaped, and secrets are masked."""

from __future__ import annotations

import base64
import html
from functools import partial
from typing import TYPE_CHECKING

from nbbg import secrets
from nbbg.notebook import page
from nbbg.ops.report.content import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nbbg.ops.report.content import Facts, Failure, Picture, Report, Table

    Escape = Callable[[str], str]

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --pale: #62666d; --paper: #fff; --line: #d8dade;
  --shade: #f4f5f7; --mark: #0b62a3; --warn: #8a4b00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e7ea; --pale: #a0a5ad; --paper: #16181c;
  --line: #363a41; --shade: #1f2228; --mark: #7cc0f4; --warn: #f0b866 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70em; margin: 2em auto; padding: 0 1.2em; overflow-wrap: anywhere }
h1 { font-size: 1.5em; margin: 0 } h2 { font-size: 1.15em; margin: 2em 0 .6em;
  border-bottom: 1px solid var(--line) } h3 { font-size: 1em; margin: 1.4em 0 .3em }
header p, figcaption, .about { color: var(--pale); margin: .3em 0 }
.verdict { font-size: 1.15em; border-left: 4px solid var(--mark); padding: .3em .9em;
  margin: 1em 0 }
.verdict p { margin: .2em 0 } .warnings { color: var(--warn); padding-left: 1.2em }
figure { margin: 1em 0 } figure img { max-width: 100%; height: auto; background: #fff;
  border-radius: 4px; padding: 6px; box-sizing: border-box } figcaption { font-size: 13px }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px }
th, td { text-align: left; padding: .22em .8em .22em 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word; max-width: 34em }
th { color: var(--pale); font-weight: 600; white-space: nowrap }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1.2em; margin: 0 }
dt { color: var(--pale) } dd { margin: 0 } a { color: var(--mark) }
pre { font: 12.5px/1.45 ui-monospace, monospace; background: var(--shade); margin: .2em 0 .8em;
  padding: .6em .8em; border: 1px solid var(--line); border-radius: 4px; white-space: pre-wrap }
details { margin: .4em 0; font-size: 13px } summary { color: var(--pale); cursor: pointer }
@media print { :root { --ink: #000; --pale: #444; --paper: #fff; --line: #bbb; --shade: #f4f4f4;
  --mark: #000; --warn: #000 } body { max-width: none; margin: 0; font-size: 11pt }
  h2, h3 { break-after: avoid } figure, tr, .card { break-inside: avoid }
  a { text-decoration: none }
  .wide { overflow: visible } td { overflow-wrap: anywhere } }
"""


def render(report: Report) -> bytes:
    """The page."""
    escape = partial(_escape, hidden=secrets.values())
    parts = [
        f"<header><h1>{escape(report.title)}</h1><p>{escape(report.about)}</p></header>",
        _verdict(report, escape),
        _section("Pictures", (_picture(one, escape) for one in report.pictures)),
        *(_section(title, [_table(table, escape)]) for title, table in report.tables),
        _section("What went wrong", (_failure(one, escape) for one in report.failures)),
        _section("What was run", (_facts(one, escape) for one in report.facts)),
        "".join(f'<p class="about">{escape(line)}</p>' for line in report.left_out),
    ]
    return page.whole(escape(report.title), _STYLE, "\n".join(part for part in parts if part))


def _escape(text: str, hidden: Sequence[str]) -> str:
    return html.escape(secrets.mask(text, hidden))


def _section(title: str, parts: Iterable[str]) -> str:
    content = "\n".join(parts)
    return f"<section><h2>{html.escape(title)}</h2>\n{content}</section>" if content else ""


def _verdict(report: Report, escape: Escape) -> str:
    said = "".join(f"<p>{escape(line)}</p>" for line in report.verdict)
    warned = "".join(f"<li>{escape(line)}</li>" for line in report.warnings)
    return (f'<div class="verdict">{said}</div>' if said else "") + (
        f'<ul class="warnings">{warned}</ul>' if warned else ""
    )


def _picture(one: Picture, escape: Escape) -> str:
    content = base64.b64encode(one.data).decode()
    return (
        f'<figure><img alt="{escape(one.name)}" width="{one.width}"'
        f' src="data:image/{one.kind};base64,{content}">'
        f"<figcaption>{escape(one.caption)}</figcaption></figure>"
    )


def _table(table: Table, escape: Escape) -> str:
    kinds = [' class="number"' if name in table.numbers else "" for name in table.head]
    head = "".join(f"<th{kind}>{escape(n)}</th>" for n, kind in zip(table.head, kinds, strict=True))
    rows = "\n".join(
        "<tr>" + "".join(f"<td{k}>{_cell(c, escape)}</td>" for c, k in zip(row, kinds, strict=True))
        for row in table.rows
    )
    about = f'<p class="about">{escape(table.about)}</p>' if table.about else ""
    inner = f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody>"
    return f'<div class="wide"><table>{inner}</table></div>{about}'


def _cell(content: str | Link, escape: Escape) -> str:
    if isinstance(content, Link):
        return f'<a href="{escape(content.address)}">{escape(content.text)}</a>'
    return escape(content)


def _failure(one: Failure, escape: Escape) -> str:
    parts = "".join(
        f"<div>{escape(name)}</div><pre>{escape(text)}</pre>" for name, text in one.parts
    )
    return f'<div class="card"><h3>{escape(one.title)}</h3><p>{escape(one.reason)}</p>{parts}</div>'


def _facts(one: Facts, escape: Escape) -> str:
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in one.pairs)
    folded = "".join(
        f"<details><summary>{escape(name)}</summary>{escape(text)}</details>"
        for name, text in one.folded
    )
    return f"<h3>{escape(one.title)}</h3><dl>{pairs}</dl>{folded}"
