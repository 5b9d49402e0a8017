"""What a terminal would show of a text: of progress bars their last state, colours as they are.

Carriage returns, backspaces and cursor moves are carried out; all other escape sequences but
colours are dropped. A text comes in pieces that may be cut anywhere, and what has scrolled off
the screen is given out at once, so that a log of any length needs little memory.
"""

from __future__ import annotations

import re
from itertools import groupby

from nbbg import patterns

ROWS = 64  # how far up the cursor can go
REACH = 500  # columns that the cursor can be moved to where nothing is written yet
WIDEST = 1 << 16  # characters of a row; of a longer one the beginning is settled
_LONGEST = 1 << 12  # characters of an escape sequence; what is longer is none
_DIGITS = 9  # of a number in one
_STYLES = 16  # colour sequences that can hold at once; of more the last
_ESCAPE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, moves
    r"|\x1b[\]P^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links
    r"|\x1b[ -/]*[0-OQ-Z\\`-~]"  # character sets and the like
    r"|[\x1b\x80-\x9f]"  # what is none of these, and what steers some terminals alone
)
_TOKEN = patterns.late(rf"(\n|\x08|{_ESCAPE})")
_UNFINISHED = patterns.late(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*\Z|\x1b[\]P^_][^\x07\x1b]*\x1b?\Z|\x1b[ -/]*\Z"
)
_CONTROLS = patterns.late(r"[\x00-\x08\x0b-\x1f\x7f]")
_COLOUR = patterns.late(r"(?:\x1b\[|\x9b)[0-9;:]*m")
_RESET = patterns.late(r"(?:\x1b\[|\x9b)0*m")
_FRONT, _BACK = (
    patterns.late(rf"(?:\x1b\[|\x9b)(?:{few}[0-79]|{bright}[0-7]|{few}8;(?:5;\d+|2;\d+;\d+;\d+))m")
    for few, bright in ((3, 9), (4, 10))
)
_MOVES = patterns.late(r"\x9b|\x1b(?!\[[0-9;:]*m)")
_BEGINS_WITH_A_MOVE = patterns.late(rb"\n*\r(?!\n)|\x08|(?:\x1b\[|\xc2\x9b)[0-9]*[A-HJKf]")


class _Row:
    """One line of the screen; `styles` has the colours of each character, where there are any."""

    __slots__ = ("chars", "moved", "styles")

    def __init__(self) -> None:
        self.chars = ""
        self.styles: list[str] | None = None
        self.moved = False

    def put(self, text: str, at: int, style: str) -> None:
        if style and self.styles is None:
            self.styles = [""] * len(self.chars)
        if at > len(self.chars):
            self.erase(at, at)
        self.chars = self.chars[:at] + text + self.chars[at + len(text) :]
        if self.styles is not None:
            self.styles[at : at + len(text)] = [style] * len(text)

    def erase(self, start: int, end: int) -> None:
        """Make the columns from `start` to `end` blank."""
        self.chars = self.chars[:start].ljust(end) + self.chars[end:]
        if self.styles is not None:
            self.styles[start:end] = [""] * (end - start)
            self.styles += [""] * (len(self.chars) - len(self.styles))

    def cut(self, at: int) -> None:
        self.chars = self.chars[:at]
        if self.styles is not None:
            del self.styles[at:]

    def shown(self) -> str:
        if self.styles is None or not any(self.styles):
            return self.chars.rstrip() if self.moved else self.chars
        parts, at = [], 0
        for style, group in groupby(self.styles):
            end = at + sum(1 for _ in group)
            part = self.chars[at:end]
            parts.append(f"{style}{part}\x1b[0m" if style else part)
            at = end
        text = "".join(parts)
        return text.rstrip() if self.moved else text


class Screen:
    """A screen that text is written on, piece by piece."""

    def __init__(self) -> None:
        self._rows = [_Row()]
        self._x = self._y = 0
        self._style = ""
        self._pending = ""
        self._out: list[str] = []

    def feed(self, text: str) -> str:
        """Write a piece of the text; what has scrolled off the screen, in whole lines."""
        text = self._pending + text
        self._pending = ""
        if unfinished := _unfinished(text):
            self._pending, text = unfinished, text[: -len(unfinished)]
        if text.count("\n") > ROWS and not _moves(text):
            text = self._scroll_through(text)
        self._show(text)
        return self._taken()

    def settle(self) -> str:
        """The lines above the cursor's; they can't be reached any more."""
        self._out += [f"{row.shown()}\n" for row in self._rows[: self._y]]
        del self._rows[: self._y]
        self._y = 0
        return self._taken()

    def rest(self) -> str:
        """What is on the screen; it stays there."""
        rows = [row.shown() for row in self._rows]
        while len(rows) > self._y + 1 and not rows[-1]:
            rows.pop()
        return "\n".join(rows)

    def clear(self) -> None:
        """Begin on an empty screen."""
        self._rows = [_Row()]
        self._x = self._y = 0

    def _taken(self) -> str:
        text = "".join(self._out)
        self._out.clear()
        return text

    def _scroll_through(self, text: str) -> str:
        """Give out the lines that would only pass over the screen; the first and last are left.

        They must end with the colour that they begin with, none.
        """
        start = text.index("\n") + 1
        end = len(text)
        for _ in range(ROWS):
            end = text.rindex("\n", 0, end)
        if end < start or self._y < len(self._rows) - 1:
            return text
        middle = text[start : end + 1]
        if _style_after(self._style + text[:start]) or _style_after(middle):
            return text
        self._show(text[:start])
        self._out += [f"{row.shown()}\n" for row in self._rows[:-1]]
        self._out.append(middle)
        self.clear()
        return text[end + 1 :]

    def _show(self, text: str) -> None:
        if "\n" not in text and "\x08" not in text and not _has_escapes(text):
            self._write(text)  # of a line without end, quickly
            return
        for position, part in enumerate(_TOKEN.split(text)):
            if position % 2:
                self._control(part)
            elif part:
                self._write(part)

    def _write(self, text: str) -> None:
        """Text that may hold carriage returns."""
        row = self._rows[self._y]
        first, *parts = text.split("\r")
        row.put(first, self._x, self._style)
        self._x += len(first)
        if parts:
            row.put(_laid_over(parts), 0, self._style)
            row.moved = True
            self._x = len(parts[-1])
        if len(row.chars) > WIDEST:
            self._out += [f"{above.shown()}\n" for above in self._rows[: self._y]]
            self._out.append(row.shown())
            self._rows[: self._y + 1] = [_Row()]
            self._x = self._y = 0

    def _control(self, control: str) -> None:
        if control == "\n":
            self._next_line()
        elif control == "\x08":
            self._x = max(0, self._x - 1)
            self._rows[self._y].moved = True
        elif _COLOUR.fullmatch(control):
            self._style = _style_after(self._style + control)
        elif control.startswith(("\x1b[", "\x9b")):
            self._move(control[-1], control.removeprefix("\x1b").strip("[\x9b")[:-1])

    def _next_line(self) -> None:
        self._x = 0
        self._y += 1
        if self._y == len(self._rows):
            self._rows.append(_Row())
        if len(self._rows) > ROWS:
            self._out.append(f"{self._rows.pop(0).shown()}\n")
            self._y -= 1

    def _move(self, letter: str, argument: str) -> None:
        number = min(int(argument[:_DIGITS]), WIDEST) if argument.isdecimal() else 0
        count = number or 1
        if letter in "ABEF":
            self._y += -count if letter in "AF" else count
            self._y = min(max(self._y, 0), len(self._rows) - 1)
            self._x = 0 if letter in "EF" else self._x
        elif letter in "CDG":
            self._x = {"C": self._x + count, "D": max(0, self._x - count), "G": count - 1}[letter]
            self._x = min(self._x, max(REACH, len(self._rows[self._y].chars)))
        elif letter in "JK":
            self._erase(letter, number)
        self._rows[self._y].moved = True

    def _erase(self, letter: str, what: int) -> None:
        """Erase in the line (K) or the screen (J): from the cursor (0), up to it (1), all (2)."""
        row = self._rows[self._y]
        if what == 0:
            row.cut(self._x)
        else:
            row.erase(0, min(self._x + 1, len(row.chars)) if what == 1 else len(row.chars))
        if letter == "J" and what in (0, 2):
            del self._rows[self._y + 1 :]
        if letter == "J" and what in (1, 2):
            for above in self._rows[: self._y]:
                above.cut(0)


def shown(text: str) -> str:
    """The whole of a text as a terminal would show it in the end."""
    screen = Screen()
    return screen.feed(text) + screen.rest()


def begins_with_a_move(piece: bytes) -> bool:
    """Whether a text goes on in lines that were left open: a bar that is drawn anew."""
    return _BEGINS_WITH_A_MOVE.match(piece) is not None


def without_escapes(text: str) -> str:
    """The text without escape sequences, whole or not, so that no log can steer a terminal.

    Of the other control characters, line ends and tabs are left.
    """
    if _has_escapes(text):
        text = re.sub(_ESCAPE, "", _UNFINISHED.sub("", text))
    return text if text.isprintable() else _CONTROLS.sub("", text)


def _unfinished(text: str) -> str:
    """The beginning of an escape sequence at the end of a text."""
    start = max(text.rfind("\x1b"), text.rfind("\x9b"))
    if start > 0 and text[start - 1 : start + 1] == "\x1b\x1b":
        start -= 1
    found = _UNFINISHED.search(text, max(0, len(text) - _LONGEST)) if start >= 0 else None
    return found[0] if found else ""


def _has_escapes(text: str) -> bool:
    return not text.isascii() or "\x1b" in text


def _moves(text: str) -> bool:
    """Whether a text does anything but go on, line after line, with colours perhaps."""
    if "\r" in text or "\x08" in text:
        return True
    return _has_escapes(text) and _MOVES.search(text) is not None


def _style_after(text: str) -> str:
    """The colours that hold after a text."""
    if not _has_escapes(text):
        return ""
    start = 0
    for reset in _RESET.finditer(text):
        start = reset.end()
    found: dict[str, str] = {}
    for code in _COLOUR.findall(text, start):
        role = _role(code)
        found.pop(role, None)  # the order is that of the last of each: what came later wins
        found[role] = code
    return "".join([*found.values()][-_STYLES:])


def _role(code: str) -> str:
    """What a colour sequence takes the place of: the last of its kind, or else the same again."""
    if _FRONT.fullmatch(code):
        return "front"
    return "back" if _BACK.fullmatch(code) else code


def _laid_over(parts: list[str]) -> str:
    """Texts written over each other from the first column on: the last, then what sticks out."""
    found = parts[-1]
    for part in reversed(parts):
        if len(part) > len(found):
            found += part[len(found) :]
    return found
