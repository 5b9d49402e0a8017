"""Secrets: no file and no reader shows one, however it is printed, displayed, raised or kept."""

from __future__ import annotations

import json
import os
import pickle
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg import files, journal, logs, paths, secrets
from nbbg.inside import kept, metrics
from nbbg.inside.recorder import Recorder
from nbbg.inside.streams import text_layer
from tests.project import Project, until
from tests.records import quick_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "hunter2-hunter2"
ODD = "p@ss \"w\\rd/é's"
PEM = (
    "-----BEGIN KEY-----\n" + "\n".join(f"{line:032x}" for line in range(7, 12)) + "\n-----END-----"
)
GIVEN = {"MY_TOKEN": TOKEN, "ODD_PASSWORD": ODD, "PEM_KEY": PEM}
LEAKS = [TOKEN, ODD, "p@ss", *(f"{line:032x}" for line in range(7, 12))]


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A recorder in a process that has been given the secrets."""
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    with files.Folder(tmp_path) as folder:
        made = Recorder(folder)
        yield made
        made.close()


def log_of(folder: Path) -> str:
    """The log so far."""
    return (folder / paths.LOG).read_text()


def test_a_secret_in_pieces_is_covered_at_once(recorder: Recorder, tmp_path: Path) -> None:
    """However it is cut, each piece is in the log at once, and all of it `*` with the last."""
    out = text_layer(recorder.out)
    for cut in range(1, len(TOKEN)):
        before = log_of(tmp_path)
        out.write(f"<{TOKEN[:cut]}")
        assert log_of(tmp_path) == f"{before}<{TOKEN[:cut]}"
        out.write(f"{TOKEN[cut:]}>")
        assert log_of(tmp_path) == f"{before}<{'*' * len(TOKEN)}>"
    print(*TOKEN, sep="", file=out)
    assert log_of(tmp_path).endswith(f">{'*' * len(TOKEN)}\n")


def test_pieces_between_other_output(recorder: Recorder, tmp_path: Path) -> None:
    """What children and the other stream write between a stream's pieces stays as it is."""
    child = os.open(tmp_path / paths.LOG, os.O_WRONLY | os.O_APPEND)
    for letter in TOKEN:
        recorder.out.write(letter.encode())
        recorder.err.write(b"[err]")
        os.write(child, b"{child}")
    os.close(child)
    assert log_of(tmp_path) == "*[err]{child}" * len(TOKEN)
    with files.Folder(tmp_path) as folder:
        ranges = [event["log"] for event in journal.read(folder, paths.CELLS)]
    assert {log_of(tmp_path)[start:end] for start, end in ranges} == {"[err]"}


@given(
    st.lists(st.sampled_from([TOKEN, TOKEN[:5], TOKEN[5:], TOKEN[3:], "h", "-", "x", "hunter2"]))
)
def test_pieces_of_any_kind(texts: list[str]) -> None:
    """Whatever is written, the log is that text with each secret masked, and as long."""
    with (
        pytest.MonkeyPatch.context() as patch,
        quick_folder() as path,
        files.Folder(path) as folder,
    ):
        patch.setenv("MY_TOKEN", TOKEN)
        made = Recorder(folder)
        for text in texts:
            made.out.write(text.encode())
        made.close()
        expected = "".join(texts)
        shown = (folder.read(paths.LOG) or b"").decode()
        assert TOKEN not in shown
        assert len(shown) == len(expected)
        assert all(a in (b, "*") for a, b in zip(shown, expected, strict=True))
        assert ("*" in shown) == (TOKEN in expected)


def test_written_forms(recorder: Recorder, tmp_path: Path) -> None:
    """A repr, JSON, a URL and a line of a private key show no secret either."""
    for value in GIVEN.values():
        shown = [
            repr({"key": value}),
            repr(value.encode()),
            json.dumps([value]),
            json.dumps([value], ensure_ascii=False),
            f"https://me:{urllib.parse.quote(value, safe='')}@host/",
            f"https://host/{urllib.parse.quote(value)}",
            "\n".join(f"    {line}" for line in value.split("\n")),
        ]
        for text in shown:
            recorder.text("stdout", f"{text}\n")
            recorder.display("display_data", {"data": {"text/plain": text}, "metadata": {}})
    recorded = log_of(tmp_path) + (tmp_path / paths.CELLS).read_text()
    assert not [leak for leak in (*LEAKS, "w%5Crd", "w\\\\rd") if leak in recorded]


def test_what_a_cell_puts_into_the_environment(recorder: Recorder, tmp_path: Path) -> None:
    """From the instant on at which it is there, in the same cell too."""
    recorder.text("stdout", "swordfish-1 ")
    os.environ["LATE_PASSWORD"] = "swordfish-1"
    recorder.text("stdout", "swordfish-1 ")
    os.environ.update({"LATER_PASSWORD": "swordfish-2"})
    recorder.event("clear", text=["swordfish-1", {"swordfish-2": 1}])
    os.environ.pop("LATE_PASSWORD")
    os.environ.pop("LATER_PASSWORD")
    assert log_of(tmp_path) == "swordfish-1 *********** "
    assert "swordfish" not in (tmp_path / paths.CELLS).read_text()


def test_what_children_wrote_is_covered_with_the_cell(recorder: Recorder, tmp_path: Path) -> None:
    """What did not come through Python's streams is overwritten when the cell is over."""
    child = os.open(tmp_path / paths.LOG, os.O_WRONLY | os.O_APPEND)
    for number in range(3):
        recorder.text("stdout", f"cell {number}: ")
        os.write(child, f"{TOKEN} {PEM}\n".encode())
        recorder.event("cell_end", cell=number, status="ok")
        assert not [leak for leak in LEAKS if leak in log_of(tmp_path)]
    os.close(child)
    assert log_of(tmp_path).count("*" * len(TOKEN)) >= 3


def test_an_environment_that_is_left_is_as_it_was(recorder: Recorder, tmp_path: Path) -> None:
    """A recorder that is closed no longer watches the environment."""
    before = os.environ.encodevalue
    with files.Folder(tmp_path) as folder:
        Recorder(folder).close()
    assert os.environ.encodevalue is before
    assert recorder.masked(TOKEN) == "*" * len(TOKEN)


@given(st.binary(max_size=60), st.integers(0, 40), st.data())
def test_a_reader_that_reads_in_pieces(noise: bytes, at: int, data: st.DataObject) -> None:
    """A secret that is split over two reads is masked, and nothing else is changed or lost."""
    secret = TOKEN.encode()
    text = noise[:at] + secret + noise[at:] + secret[:7]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True) if a < b]
    shown = b"".join(secrets.mask_pieces(pieces, [secret]))
    assert shown == text.replace(secret, b"*" * len(secret))


def test_a_last_line_that_begins_within_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` shows no part of a secret in a line that is longer than what it looks at."""
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    for cut in range(len(TOKEN)):
        (tmp_path / "log").write_text(f"x{TOKEN}{'y' * (logs.END - cut)}")
        assert logs.last_line(tmp_path / "log").strip("*") == "y" * (logs.END - cut)


def test_metrics_and_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is logged nor a kept variable holds a secret; both stay readable."""
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    monkeypatch.setenv(paths.RUN_DIR, str(tmp_path))
    monkeypatch.setenv(paths.ATTEMPT, "1")
    (tmp_path / "1").mkdir()
    metrics.log(model=f"by {TOKEN}", loss=0.5)
    names: dict[str, Any] = {
        "plain": {"key": [TOKEN, 1.5]},
        "pickled": (TOKEN, {TOKEN}, [2]),
    }
    kept.keep(names, names, str(tmp_path / "1"))
    stars = "*" * len(TOKEN)
    results = tmp_path / "1" / paths.RESULTS
    assert json.loads((results / "plain.json").read_bytes()) == {"key": [stars, 1.5]}
    pickled = pickle.loads((results / "pickled.pickle").read_bytes())  # noqa: S301 - our own
    assert pickled == (stars, {stars}, [2])
    assert f'"by {stars}"' in (tmp_path / "1" / paths.METRICS).read_text()


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_no_file_of_a_run_holds_a_secret(project: Project, engine: str) -> None:
    """Printed by the notebook, by C code and by children, displayed, raised, logged or kept."""
    project.environment.update(GIVEN)
    project.write(
        "leak.ipynb",
        "import os, subprocess, sys, nbbg\n"
        "token, odd, pem = (os.environ[n] for n in ('MY_TOKEN', 'ODD_PASSWORD', 'PEM_KEY'))\n"
        "sys.stdout.write(token[:5]); sys.stdout.write(token[5:])\n"
        "print(*token, sep='', file=sys.stderr); print(pem); print(dict(os.environ))",
        "for line in pem.split('\\n'): print('|', line)\n"
        "subprocess.run(['sh', '-c', 'echo $MY_TOKEN; echo \"$PEM_KEY\"; env'])\n"
        "os.write(1, odd.encode()); os.environ['NEW_SECRET'] = 'swordfish' * 2\n"
        "subprocess.run(['sh', '-c', 'echo $NEW_SECRET'])",
        "from IPython.display import HTML, display\n"
        "nbbg.log(key=token); display(HTML(f'<b>{token}</b>'), {'a': odd}); result = [token, pem]\n"
        "os.environ",
        "raise ValueError(token, odd, pem)",
    )
    project.nbbg("run", "leak.ipynb", "--engine", engine, "--results", "result", "--wait", code=1)
    shown = project.nbbg("logs", "1").stdout + project.nbbg("show", "1").stdout
    texts = [path.read_bytes() for path in project.root.rglob("*") if path.is_file()]
    notebook = json.dumps(project.executed(1))
    for leak in (*LEAKS, "swordfish" * 2):
        assert not [text for text in texts if leak.encode() in text]
        assert leak not in shown
        assert leak not in notebook


def test_readers_of_a_live_run(project: Project) -> None:
    """What a child prints while it runs is masked by every reader, also a secret of `.env`."""
    (project.root / ".env").write_text(f"MY_TOKEN={TOKEN}\n")
    project.write(
        "live.ipynb",
        "import subprocess\n"
        "subprocess.run(['sh', '-c', 'echo begin $MY_TOKEN; echo so $MY_TOKEN.; sleep 60'])",
    )
    project.nbbg("run", "live.ipynb")
    until(lambda: "so " in project.log(1))
    assert TOKEN in project.log(1)
    for command in (("status",), ("logs", "1"), ("logs", "1", "-n", "1"), ("show", "1")):
        assert TOKEN not in project.nbbg(*command).stdout, command
    assert f"so {'*' * len(TOKEN)}." in project.nbbg("status").stdout
    assert TOKEN not in json.dumps(project.executed(1))
    project.nbbg("stop", "1")
