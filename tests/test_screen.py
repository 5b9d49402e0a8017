"""What a terminal would show of a text, whatever it is cut into."""

from __future__ import annotations

import io
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from nbbg import screen

PIECES = [
    *("a", "bc", "ä", " ", "\n", "\r", "\r\n", "\b", "\x1b[A", "\x1b[2A", "\x1b[B", "\x1b[C"),
    *("\x1b[31m", "\x1b[1;32m", "\x1b[0m", "\x1b[m", "\x1b[K", "\x1b[2K", "\x1b[J", "\x1b[3D"),
    *("\x1b]0;title\x07", "\x1b(B", "\x1b[?25l", "\x9b31m", "\x1b", "long " * 9 + "\n", "x\n" * 70),
]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  1%\r 50%\r100%\n", "100%\n"),
        ("abc\rd", "dbc"),
        ("abc\r\nd\r\n", "abc\nd\n"),
        ("bar\r   \rdone\n", "done\n"),
        ("left\r", "left"),
        ("no return  \n", "no return  \n"),
        ("\r\r\r", ""),
        ("ab\b\bX", "Xb"),
        ("12345\r\x1b[Kab", "ab"),
        ("12345\x1b[2D\x1b[Kx", "123x"),
        ("12345\x1b[1K", ""),
        ("one\ntwo\x1b[A\rONE", "ONE\ntwo"),
        ("one\ntwo\x1b[1F\x1b[Jx", "x"),
        ("one\ntwo\x1b[2Jx", "\n   x"),
        ("a\x1b[9A\x1b[99999999Cb", "a" + " " * (screen.REACH - 1) + "b"),
        ("\x1b[31mred\x1b[0m plain", "\x1b[31mred\x1b[0m plain"),
        ("\x1b[31mred\rG", "\x1b[31mGed\x1b[0m"),
        ("red\r\x1b[1m\x1b[31mR\x1b[0m", "\x1b[1m\x1b[31mR\x1b[0med"),
        ("a\x1b[?25l\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\x1b(Bd\x07\x00", "abcd\x07\x00"),
        ("cut \x1b[3", "cut "),
        (f"a\x1b[{'9' * 5000}Db", "b"),
        (
            "\x1b[31mr\x1b[34mb\x1b[31mr\x1b[1mB",
            "\x1b[31mr\x1b[0m\x1b[34mb\x1b[0m\x1b[31mr\x1b[0m\x1b[31m\x1b[1mB\x1b[0m",
        ),
    ],
)
def test_what_a_terminal_shows(text: str, shown: str) -> None:
    """Moves are carried out, colours stay, and all other sequences are gone."""
    assert screen.shown(text) == shown


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.lists(st.integers(0, 400), max_size=8))
def test_cut_anywhere(pieces: list[str], cuts: list[int]) -> None:
    """A text that comes in pieces, cut inside of a sequence too, looks the same in the end."""
    text = "".join(pieces)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    cut = screen.Screen()
    shown = "".join(cut.feed(text[a:b]) for a, b in itertools.pairwise(places))
    assert plain(shown + cut.rest()) == plain(screen.shown(text))


def plain(text: str) -> str:
    """The text without colours, which may be told in several ways."""
    return screen.without_escapes(text)


def test_bars_inside_of_bars() -> None:
    """Of bars at several positions, and nested ones, each is one line in its last state."""
    written = io.StringIO()
    for _ in tqdm(range(4), file=written, mininterval=0, desc="outer", colour="green"):
        for _ in tqdm(range(3), file=written, mininterval=0, desc="inner", position=1, leave=False):
            pass
    bars = [tqdm(total=9, file=written, mininterval=0, position=i, desc=f"{i}") for i in range(3)]
    for _ in range(9):
        for bar in bars:
            bar.update()
    for bar in bars:
        bar.close()
    lines = [line[:9] for line in plain(screen.shown(written.getvalue())).split("\n") if line]
    assert lines == ["outer: 10", "0: 100%|#", "1: 100%|#", "2: 100%|#"]


@pytest.mark.parametrize(
    "line", ["\r 12%|###  | 1/100 [00:01<00:02]", "\x1b[32mgreen\x1b[0m\n", "x\n", "\x1b[31mx\n"]
)
def test_long_texts(line: str) -> None:
    """Megabytes take seconds, and what is held of them is little."""
    shown, before, held = screen.Screen(), time.process_time(), 0
    for _ in range(5):
        shown.feed(line * (500_000 // len(line)))
        held = max(held, len(shown.rest()))
    assert held < 2000
    assert time.process_time() - before < 30


def test_a_line_without_an_end() -> None:
    """The beginning of a line that never ends is given out."""
    shown = screen.Screen()
    out = sum(len(shown.feed("x" * 10_000)) for _ in range(100))
    assert out + len(shown.rest()) == 1_000_000
    assert len(shown.rest()) <= screen.WIDEST


@pytest.mark.parametrize("before", ["", "1;"])
def test_colours_without_end(before: str) -> None:
    """A text of ever new colours that nothing resets is not many times as long when it is shown."""
    text = "".join(f"\x1b[{before}38;2;{n % 256};{n // 256};7mX" for n in range(1000))
    assert len(screen.shown(text)) < 20 * len(text)
