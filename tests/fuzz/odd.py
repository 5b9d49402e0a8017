"""Odd inputs: values of every kind, documents with one thing wrong, and texts in wrong bytes."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

TEXTS = [
    *(
        "",
        " ",
        "\n",
        "\0",
        "..",
        "../../up",
        "/",
        "~",
        "~root/x",
        "-",
        "--",
        "-rf",
        "a\nb",
        "a\r\nb",
    ),
    *("$(touch pwned)", "`touch pwned`", ";touch pwned", "#(touch pwned)", "#{pane_id}", "%s%n"),
    *(
        "\x1b]0;owned\x07",
        "\x1b[2J",
        "\x9b31m",
        "\ud800",
        "\u202e",
        "\ufeff",
        "\f",
        "\x0b",
        "\u2028",
    ),
    *("é", "😀", "e" * 300, "{", "}", "{lr}", "{0}", "{lr!r:>99999999}", "a/b", "a\\b", "NaN"),
    *("b1", "1", "arm:1", "b99999999999999999999", "1e999", "-0", "0x10", "1_000", "٣", "²"),
    *("'", '"', "'''", "[", "[[[[", "null", "true", "<script>", "<<<<<<< HEAD", "# %%", "%%bash"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 0.5, 1e308, float("nan")),
    *(float("inf"), [], {}, [None], [[]], {"": None}, {"a": {"b": [1, "x"]}}, [1, "a", {}]),
]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp037"]
REMOVE, TWICE, DEEP = object(), object(), object()


def texts() -> SearchStrategy[str]:
    """Texts that something may trip over."""
    return st.one_of(
        st.sampled_from(TEXTS),
        st.text(max_size=30),
        st.text(alphabet="=,:.-+/{}[]()'\"#% \n\tabe019\0\x1b", max_size=30),
        st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)).map("".join),
    )


def words() -> SearchStrategy[str]:
    """Texts that can be typed: bytes without a zero, whether or not they are UTF-8."""
    return st.one_of(texts().map(_typed), st.sampled_from(["\udcff", "a\udc80", "\udcff.ipynb"]))


def _typed(text: str) -> str:
    return os.fsdecode(text.replace("\0", "").encode("utf-8", "surrogatepass"))


def values() -> SearchStrategy[Any]:
    """What JSON can hold, mostly where it is not wanted."""
    return st.one_of(st.sampled_from(VALUES), texts())


@st.composite
def changed(draw: DrawFn, document: Any, changes: int = 3) -> Any:
    """A document with some values replaced, taken away, doubled, or nested without end."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, changes))):
        places = list(_places(found))
        if not places:
            return found
        holder, key = draw(st.sampled_from(places))
        _change(holder, key, draw(st.one_of(values(), st.sampled_from([REMOVE, TWICE, DEEP]))))
    return found


def as_json(value: Any, draw: DrawFn) -> str:
    """Its JSON, in one of the ways in which that may be written."""
    return json.dumps(
        value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )


@st.composite
def broken(draw: DrawFn, text: SearchStrategy[str]) -> bytes:
    """A text as bytes: whole, in another encoding, cut off, or with bytes that are not its own."""
    raw = (
        draw(text).encode(draw(st.sampled_from(ENCODINGS)), "replace")
        if draw(st.integers(0, 3)) == 0
        else draw(text).encode("utf-8", "surrogatepass")
    )
    how = draw(st.integers(0, 7))
    at = draw(st.integers(0, len(raw)))
    if how == 0:
        return raw[:at]
    if how == 1:
        return raw[:at] + draw(st.binary(max_size=8)) + raw[at:]
    if how == 2:
        return raw[:at] + raw[at + 1 :]
    if how == 3:
        return raw.replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r", b"\f", b"\0"])))
    return raw


def _places(value: Any) -> Any:
    if not isinstance(value, dict | list):
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _change(holder: Any, key: Any, to: Any) -> None:
    if to is REMOVE:
        del holder[key]
    elif to is TWICE and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif to is TWICE:
        holder[f"{key} "] = copy.deepcopy(holder[key])
    elif to is DEEP:
        for _ in range(200):
            holder[key] = [holder[key]]
    else:
        holder[key] = copy.deepcopy(to)
