"""Colours of a terminal as HTML."""

from __future__ import annotations

import html
import re

_SGR = re.compile(r"(\x1b\[[0-9;]*m)")
_NAMED = (
    *("#000000", "#b22b31", "#00a250", "#a07d00", "#208ffb", "#a03196", "#258f8f", "#8c8c8c"),
    *("#282c36", "#e75c58", "#00d070", "#ddb62b", "#60bcff", "#d160c4", "#60c6c8", "#a1a6b2"),
)
_FLAGS = {1: "font-weight:bold", 3: "font-style:italic", 4: "text-decoration:underline"}
_OFF = {22: 1, 23: 3, 24: 4}
_REVERSE = 7
_DIGITS = 9  # of a number
_CUBE = (0, 95, 135, 175, 215, 255)


class _Style:
    """The colours that hold at a place."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.colours: dict[str, str] = {}
        self.flags: set[int] = set()
        self.reverse = False

    def change(self, codes: list[int]) -> None:
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.reset()
            elif code in _FLAGS:
                self.flags.add(code)
            elif code in _OFF:
                self.flags.discard(_OFF[code])
            elif code in (_REVERSE, _REVERSE + 20):
                self.reverse = code == _REVERSE
            else:
                self._colour(code, codes)

    def css(self) -> str:
        found = [_FLAGS[flag] for flag in sorted(self.flags)]
        front, back = self.colours.get("color"), self.colours.get("background")
        if self.reverse:
            front, back = back or "#ffffff", front or "#000000"
        found += [f"color:{front}"] if front else []
        found += [f"background:{back}"] if back else []
        return ";".join(found)

    def _colour(self, code: int, more: list[int]) -> None:
        bright = 90 <= code < 108  # noqa: PLR2004 - so the standard has it
        base = code - 60 if bright else code
        if not 30 <= base < 50:  # noqa: PLR2004 - the same
            return
        where = "color" if base < 40 else "background"  # noqa: PLR2004 - the same
        number = base % 10
        if number == 9:  # noqa: PLR2004 - the default
            self.colours.pop(where, None)
        elif number == 8:  # noqa: PLR2004 - one of many
            self.colours[where] = _of_many(more) or self.colours.get(where, "inherit")
        else:
            self.colours[where] = _NAMED[number + 8 * bright]


def to_html(text: str) -> str:
    """A text with its colours as spans; all else is escaped."""
    style, parts = _Style(), []
    for position, part in enumerate(_SGR.split(text)):
        if position % 2:
            style.change([int(code[:_DIGITS] or 0) for code in part[2:-1].split(";")])
        elif part and (css := style.css()):
            parts.append(f'<span style="{css}">{html.escape(part)}</span>')
        else:
            parts.append(html.escape(part))
    return "".join(parts)


def _of_many(codes: list[int]) -> str:
    """A colour of 256, or of red, green and blue; takes its numbers off the list."""
    kind = codes.pop(0) if codes else 0
    if kind == 2 and len(codes) >= 3:  # noqa: PLR2004 - red, green, blue
        red, green, blue = (codes.pop(0) & 255 for _ in range(3))
        return f"rgb({red},{green},{blue})"
    if kind != 5 or not codes:  # noqa: PLR2004 - so the standard has it
        return ""
    number = codes.pop(0) & 255
    if number < len(_NAMED):
        return _NAMED[number]
    if number >= 232:  # noqa: PLR2004 - greys
        return "rgb({0},{0},{0})".format(8 + 10 * (number - 232))
    number -= len(_NAMED)
    red, green, blue = (_CUBE[number // step % 6] for step in (36, 6, 1))
    return f"rgb({red},{green},{blue})"
