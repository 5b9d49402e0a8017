"""Pages in a real browser, and what a hostile notebook would like to run there."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = "document.documentElement.dataset.ran='yes'"
EVIL = "\n".join(
    [
        f"<script>{SCRIPT}</script></script></pre></style></title>",
        f'<img src="x" onerror="{SCRIPT}"><svg onload="{SCRIPT}"><script>{SCRIPT}</script></svg>',
        f'<iframe srcdoc="<script>parent.{SCRIPT}</script>"></iframe>',
        f'<a href="javascript:{SCRIPT}">a</a><a href="java\tscript:{SCRIPT}">b</a>',
        f'<input autofocus onfocus="{SCRIPT}"><details open ontoggle="{SCRIPT}">c</details>',
        '<meta http-equiv="refresh" content="0;url=about:blank"><base href="http://127.0.0.1:9/">',
        "<form action='http://127.0.0.1:9/'></form><style>* { display: none }</style>",
        f"<math><mtext><table><mglyph><style><img src=x onerror={SCRIPT}></style></mglyph></table>",
        f"<object data='data:text/html,<script>{SCRIPT}</script>'></object>",
        f"[d](javascript:{SCRIPT}) ![e](javascript:{SCRIPT}) <javascript:{SCRIPT}>",
        f'<a href="data:text/html,<script>{SCRIPT}</script>">f</a><p style="background:url(x)">g',
    ]
)


@dataclass(frozen=True)
class Browsed:
    """A page as Chromium has it in the end, and what it had to complain of."""

    shown: str
    console: list[str]


def browse(html: bytes, folder: Path) -> Browsed:
    """Open a page, and let all come to its end that it begins."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium here")
    path = folder / "page.html"
    path.write_bytes(html)
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *(f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=2000"),
            *("--enable-logging=stderr", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return Browsed(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])


def in_browser(html: bytes, folder: Path) -> str:
    """The page as Chromium has it in the end."""
    return browse(html, folder).shown
