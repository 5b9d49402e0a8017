"""Logs as people look at them: last lines, followed live, and the progress bar in them."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tqdm import tqdm

from nbbg import logs, paths, screen, secrets
from tests import records
from tests.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project import Project

APPENDS = """
import sys
log = open(sys.argv[1], "ab", buffering=0)
print("ready", flush=True)
for piece in range(2000):
    log.write(b"%d\\n" % piece)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that is not there yet."""
    return tmp_path / "log.txt"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([b"", b"a", b"\r", b"\x0b", b"x" * 70_000]), max_size=9),
    st.integers(0, 10),
    st.booleans(),
)
def test_the_last_lines(log: Path, lines: list[bytes], count: int, ended: bool) -> None:
    """The tail is the last lines as they are, whatever is in them, with or without a last end."""
    log.write_bytes(b"\n".join(lines) + b"\n" * ended)
    whole = io.BytesIO(log.read_bytes()).readlines()
    assert logs.tail(log, count) == b"".join(whole[len(whole) - min(count, len(whole)) :])


def test_a_bar_is_one_line(log: Path) -> None:
    """What a bar writes over itself is one line, not a line for each step."""
    log.write_bytes(b"first\nsecond\n 1%\r 2%\r 3%\nlast\n")
    assert logs.tail(log, 2) == b" 1%\r 2%\r 3%\nlast\n"


def test_a_long_bar_is_read_quickly(log: Path) -> None:
    """The last lines of 60 MB without a line end are found quickly, and no more is read."""
    log.write_bytes(b"begin\n" + b"\r 1%|    | 1/100 [00:01<00:02]" * 2_000_000 + b"\r 2%")
    before = time.process_time()
    size = log.stat().st_size
    assert (logs.start_of_tail(log, 2, size), logs.start_of_tail(log, 1, size)) == (0, 6)
    assert len(logs.tail(log, 2)) == logs.LONGEST
    assert logs.tail(log, 1).endswith(b"\r 2%")
    assert time.process_time() - before < 2


def test_a_log_that_is_not_there(log: Path) -> None:
    """Before the first byte there are no lines, no size and no progress."""
    assert (logs.tail(log, 5), logs.size(log), logs.last_line(log)) == (b"", 0, "")
    assert logs.progress(log) is None
    assert list(logs.follow(log, 0, lambda: True)) == []


def test_following_gives_every_byte_once(log: Path) -> None:
    """What another process appends comes as it is written, in order, to the last byte."""
    log.write_bytes(b"old\n")
    over = threading.Event()
    pieces: list[bytes] = []

    def follow() -> None:
        pieces.extend(logs.follow(log, 4, over.is_set))

    reader = threading.Thread(target=follow)
    reader.start()
    child = records.start(APPENDS, log)
    child.communicate()
    over.set()
    reader.join()
    assert b"".join(pieces) == b"".join(b"%d\n" % piece for piece in range(2000))


def test_following_waits_for_the_log(log: Path) -> None:
    """A log that is not there yet is waited for; what comes with the end is not missed."""
    looks = iter([False, False, True])

    def over() -> bool:
        now = next(looks)
        if now:
            log.write_bytes(b"at the last instant")
        return now

    assert b"".join(logs.follow(log, 0, over)) == b"at the last instant"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\n", "b"),
        ("a\nb", "b"),
        ("a\n\n  \n", "a"),
        ("a\n 1%\r 2%\r", "2%"),
        ("a\nbar\r   \r", "a"),
        ("a\n\x1b[31mred\x1b[0m\n", "red"),
        ("a\n\n\x1b[A\x1b[A", "a"),
        ("a\x00\x07b\n", "ab"),
        ("\x1b]0;title\x07shown\x1b(B\x1b[m", "shown"),
        ("", ""),
    ],
)
def test_the_last_line(log: Path, text: str, line: str) -> None:
    """The last line with something on it is shown as a terminal shows it, and can't steer one."""
    log.write_text(text)
    assert logs.last_line(log) == line


def test_bytes_that_are_no_text(log: Path) -> None:
    """Bytes that are no UTF-8 are shown as what they are not, and stop nobody."""
    log.write_bytes(b"\xff\xfe" * 4000 + b"\nok \xff\n")
    assert logs.last_line(log) == "ok \ufffd"


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("  0%|          | 0/100 [00:00<?, ?it/s]", logs.Progress(0, "0", "100", "?")),
        (
            "\rfit:  45%|████▌     | 45/100 [00:10<00:12,  4.40it/s, loss=0.3]",
            logs.Progress(45, "45", "100", "00:12"),
        ),
        ("100%|#####| 1.2k/1.2k [1:00:00<00:00]", logs.Progress(100, "1.2k", "1.2k", "00:00")),
        (
            "  5%|\x1b[32m▌  \x1b[0m| 5.00M/100M [00:01<27:46:40]",
            logs.Progress(5, "5.00M", "100M", "27:46:40"),
        ),
        ("45it [00:10, 4.4it/s]", None),
        ("accuracy: 45% | on 10/20 [so far]", None),
        ("|" * 4000, None),
        ("a: " * 4000, None),
        ("1%|" * 1300, None),
    ],
)
def test_progress(log: Path, line: str, progress: logs.Progress | None) -> None:
    """A bar says how far it is and how long it takes; what looks like one does not."""
    log.write_text(line)
    before = time.process_time()
    assert logs.progress(log) == progress
    assert time.process_time() - before < 0.5


def test_the_newest_bar_counts(log: Path) -> None:
    """Of what tqdm itself writes the last state is told, through a mass of other output."""
    with log.open("w") as file:
        for _ in tqdm(range(7), file=file, mininterval=0, desc="outer: 1%|"):
            for _ in tqdm(range(3), file=file, mininterval=0, leave=False, ascii=True):
                file.write("noise\n" * 50)
    found = logs.progress(log)
    assert found is not None
    assert (found.percent, found.done, found.total) == (100, "7", "7")


@given(st.lists(st.sampled_from([b"a", b"\n", b"secretsecret", b"secrets", b"sec", b"ret"])))
def test_secrets_are_masked_where_they_are_cut(pieces: list[bytes]) -> None:
    """A secret that two reads cut in two is masked as if it had come in one."""
    shown = b"".join(secrets.mask_pieces(pieces, [b"secretsecret", b"retsecrets"]))
    whole = b"".join(pieces)
    assert b"secretsecret" not in shown
    assert len(shown) == len(whole)
    if b"retsecrets" not in whole:
        assert shown == whole.replace(b"secretsecret", b"*" * 12)


def test_readable(log: Path) -> None:
    """Off a terminal a log has bars in their last state and no colours, however it is cut."""
    log.write_bytes(
        b"".join(b"\r\x1b[32m%d%%\x1b[0m" % step for step in range(99)) + b" \xc3\xa4\n"
    )
    data = log.read_bytes()
    for size in (1, 2, 7, 1000):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        for live in (False, True):
            assert "".join(logs.readable(pieces, live=live)) == "98% \u00e4\n"
    assert list(logs.readable([b"one\ntw", b"o\n"], live=True)) == ["one\n", "two\n", ""]


def test_the_last_lines_of_a_gigabyte(log: Path) -> None:
    """They are there at once: only the end is read."""
    with log.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, io.SEEK_END)
        file.writelines(b"%d\n" % line for line in range(100_000))
    before = time.process_time()
    start = logs.start_of_tail(log, 3, log.stat().st_size)
    assert b"".join(logs.follow(log, start, lambda: True)) == b"99997\n99998\n99999\n"
    assert time.process_time() - before < 1


def test_the_last_lines_of_a_flood(project: Project) -> None:
    """While a run prints without end, as many lines are shown as were asked for, and it ends."""
    project.write("flood.ipynb", "while True: print('y' * 99)")
    project.nbbg("run", "flood.ipynb", "--log-max", "1MB")
    project.until_running(1, "y")
    shown = [project.nbbg("logs", "1", "-n", "5").stdout.count("\n") for _ in range(3)]
    assert max(shown) <= 6, shown  # the last one may be half written
    log = project.attempt(1) / paths.LOG
    assert min(logs.tail(log, 3).count(b"\n") for _ in range(30)) >= 2
    project.nbbg("stop", "1")


def test_the_command(project: Project) -> None:
    """On a terminal a log is as it was written, elsewhere as a terminal would show it."""
    written = "import sys\nprint('\\r 1%\\r 2%\\x1b[32m!\\x1b[0m')\nprint('last')"
    project.write("train.ipynb", written)
    project.nbbg("run", "train.ipynb", "--wait")
    raw = "\r 1%\r 2%\x1b[32m!\x1b[0m\nlast\n"
    assert project.nbbg("logs", "1").stdout == " 2%!\nlast\n"
    assert project.nbbg("logs", "1", "-f", "-n", "2").stdout == " 2%!\nlast\n"
    assert project.nbbg("logs", "1", "-n", "1").stdout == "last\n"
    argv = [sys.executable, "-P", "-m", "nbbg", "logs", "1"]
    done = subprocess.run(
        [*argv, "--raw"], cwd=project.root, env=project.environ(), capture_output=True, check=True
    )
    assert done.stdout.decode() == raw
    with Terminal(argv, project.root, project.environ()) as terminal:
        assert terminal.ended() == 0
        assert terminal.seen.replace(b"\r\n", b"\n").decode() == raw


def test_no_text_steers_a_terminal() -> None:
    """Colours, titles, cursor moves and half sequences are taken out of what is shown."""
    text = "a\x1b[1;31mb\x1b[0m\x1b]0;t\x1b\\c\x1b]8;;http://x\x07d\x1b(Be\x1b[?25lf\x9b2Jg\x1b[2"
    assert screen.without_escapes(text) == "abcdefg"


def test_nothing_but_the_standard_library() -> None:
    """Looking at logs imports no library."""
    code = "import sys; from nbbg import logs; print(sorted({'tqdm', 'psutil'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"[]\n"
