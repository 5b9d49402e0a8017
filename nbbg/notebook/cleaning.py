"""HTML and Markdown of a notebook made harmless: no scripts, no links that run any, no requests.

By nh3, which lets through what it knows and nothing else. Markdown may hold HTML, so what it
becomes is cleaned as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import nh3
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Mapping

_STYLES = {
    *("color", "background-color", "font-weight", "font-style", "text-align", "text-decoration"),
    *("width", "height", "max-width", "vertical-align", "white-space", "border", "padding"),
}
_ATTRIBUTES = {
    **nh3.ALLOWED_ATTRIBUTES,
    "*": {"align", "class", "style", "title"},
    "details": {"open"},
    "ol": {"start"},
}
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml)[;,]", re.IGNORECASE)
_LINKS = ("http", "https", "mailto")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_UNSEEN = re.compile(r"[\x00-\x20]+")  # what a browser leaves out of an address
_SHOWS = re.compile(r"<(img|hr)\b|>[^<]*[^\s<][^<]*<|\A[^<]*[^\s<]|[^\s<>][^<>]*\Z")
_markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def clean(html: str, attached: Mapping[str, str] | None = None) -> str:
    """HTML that can do nothing but show.

    Args:
        html: of whatever origin.
        attached: what a Markdown cell's `attachment:NAME` stands for, as `data:` addresses.
    """

    def allowed(tag: str, name: str, value: str) -> str | None:
        if tag == "img" and name == "src":
            value = (attached or {}).get(value.removeprefix("attachment:"), value)
            return value if _IMAGE.match(value) else None
        if name in ("href", "src", "cite"):
            scheme = _SCHEME.match(_UNSEEN.sub("", value))
            return value if scheme is None or scheme[1].lower() in _LINKS else None
        return value

    return nh3.clean(
        html,
        tags=nh3.ALLOWED_TAGS | {"figure", "figcaption"},
        attributes=_ATTRIBUTES,
        attribute_filter=allowed,
        filter_style_properties=_STYLES,
        url_schemes={"http", "https", "mailto", "data", "attachment"},
    )


def shows_something(html: str) -> bool:
    """Whether there is anything to see; of what a script would have filled nothing is left."""
    return _SHOWS.search(html) is not None


def from_markdown(cell: Mapping[str, Any]) -> str:
    """The HTML of a Markdown cell."""
    return clean(_markdown.render(cell["source"]), _attached(cell.get("attachments")))


def _attached(bundles: object) -> dict[str, str]:
    """The attachments of a cell by name, as addresses; none where they are in no form known."""
    return {
        name: f"data:{kind};base64,{content}"
        for name, bundle in (bundles.items() if isinstance(bundles, dict) else ())
        for kind, content in (bundle.items() if isinstance(bundle, dict) else ())
    }
