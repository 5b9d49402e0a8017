"""What is typed or written by hand: options, ids, parameter files, settings, `.env`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg.cli.parser import COMMANDS
from nbbg.settings import kinds, values
from tests.fuzz import odd
from tests.fuzz.trial import MORE, Trial, examples

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

pytestmark = pytest.mark.timeout(300 * MORE)

OPTIONS = [
    *("--runs", "--seed", "-p", "-f", "--jobs", "--name", "--note", "--output", "--grace"),
    *("--timeout", "--cell-timeout", "--watchdog", "--retries", "--retry-delay", "--retry-on"),
    *("--max-failures", "--engine", "--executor", "--gpus", "--gpu-free", "--per-gpu"),
    *("--output-cap", "--freeze", "--results", "--exit-file", "--cwd", "--prepend", "--append"),
    *("--exclude", "--python", "--machine-jobs", "--store", "--secrets"),
]
READERS = ["status", "show", "logs", "notebook", "wait", "results", "diff"]
STEERING = ["stop", "pause", "resume", "retry", "jobs", "restore", "attach"]
SETS: dict[str, Any] = {
    "lr": [0.1, 0.01],
    "steps": 3,
    "configs": [{"name": "a", "notebook": "good.ipynb", "parameters": {"lr": 1}}],
    "product": True,
    "name": {"a": {"b": None}},
}
YAML = """# sets
lr: [0.1, .inf, 1e-3]
steps: &n 3
base: &base {name: a, steps: *n}
run:
  <<: *base
  lr: 0x1f
  name: !!str 7
- x
--- second
text: |
  a
  b
"""
TOML = """[project]
name = "x"
[tool.nbbg]
jobs = 2
grace = 1.5
timeout = "2h"
retry-on = ["failed"]
gpus = [0, 1]
notebooks = "good.ipynb"
output-cap = "10MB"
store = "elsewhere"
"""
DOTENV = """# comment
API_KEY=abcdefgh12345678
export NBBG_JOBS=2
QUOTED="a\\nb ${HOME:-x} $API_KEY"
SINGLE='x'
EMPTY=
LONG="several
lines"
"""


@st.composite
def lines_changed(draw: DrawFn, text: str) -> str:
    """A text with odd words somewhere in it."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        until = min(len(text), at + draw(st.sampled_from([0, 0, 1, 5, 40])))
        text = text[:at] + draw(odd.texts()) + text[until:]
    return text


@st.composite
def bombs(draw: DrawFn) -> str:
    """YAML whose aliases come to very much."""
    width = draw(st.integers(2, 12))
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, width)]
    return "\n".join(lines) if draw(st.booleans()) else "a: " + "[" * 10 ** draw(st.integers(1, 5))


@given(option=st.sampled_from(OPTIONS), value=odd.words(), joined=st.booleans())
@examples(100)
def test_an_option_is_taken_or_refused(
    trial: Trial, option: str, value: str, *, joined: bool
) -> None:
    """Any text after any option of `nbbg run -n` gives a plan or a sentence."""
    words = [f"{option}={value}"] if joined and option[1] == "-" else [option, value]
    trial.command("run", "good.ipynb", "-n", *words)


@given(name=st.one_of(st.sampled_from(["lr", "steps", "name"]), odd.words()), value=odd.words())
@examples(60)
def test_a_parameter_is_taken_or_refused(trial: Trial, name: str, value: str) -> None:
    """Any parameter and any sweep of it gives a plan or a sentence."""
    trial.command("run", "good.ipynb", "-n", "-p", f"{name}={value}", "--allow-new-params")
    trial.command("run", "good.ipynb", "-n", "-p", f"lr={value},{name}", "--product")


@given(words=st.lists(st.one_of(odd.words(), st.sampled_from([*COMMANDS, *OPTIONS])), max_size=4))
@examples(60)
def test_any_words_are_taken_or_refused(trial: Trial, words: list[str]) -> None:
    """Any words at all, in any order; what launches or writes on purpose is not among them."""
    first = [words[0]] if words and words[0] in READERS else ["status"]
    trial.command(*first, *words[1:])


@given(command=st.sampled_from([*READERS, *STEERING]), name=odd.words())
@examples(60)
def test_an_id_is_found_or_refused(trial: Trial, command: str, name: str) -> None:
    """Any text as the id of a run, a batch or an arm."""
    trial.command(command, "--", name)


@given(name=odd.words(), suffix=st.sampled_from(["", ".ipynb", ".py"]))
@examples(60)
def test_a_path_is_found_or_refused(trial: Trial, name: str, suffix: str) -> None:
    """Any text as the path of a notebook."""
    for words in (("run", "-n"), ("check",), ("convert", "-n"), ("sync", "-n"), ("pair", "-n")):
        trial.command(*words, "--", name + suffix)


@given(
    suffix=st.sampled_from(["yaml", "json", "yml", "csv", "toml", "txt"]),
    data=odd.broken(st.one_of(lines_changed(YAML), bombs(), odd.texts())),
)
@examples(60)
def test_a_parameter_file_is_taken_or_refused(trial: Trial, suffix: str, data: bytes) -> None:
    """Any bytes as a file of parameters."""
    trial.put(f"sets.{suffix}", data)
    trial.command("run", "good.ipynb", "-n", "-f", f"sets.{suffix}", "--allow-new-params")


@given(data=st.data())
@examples(60)
def test_a_json_file_of_sets_is_taken_or_refused(trial: Trial, data: st.DataObject) -> None:
    """JSON of any shape as a file of parameters."""

    @st.composite
    def text(draw: DrawFn) -> str:
        return odd.as_json(draw(odd.changed(SETS)), draw)

    trial.put("sets.json", data.draw(odd.broken(text())))
    trial.command("run", "good.ipynb", "-n", "-f", "sets.json", "--allow-new-params")


@given(
    name=st.sampled_from(["pyproject.toml", ".env"]),
    toml=odd.broken(lines_changed(TOML)),
    dotenv=odd.broken(lines_changed(DOTENV)),
)
@examples(80)
def test_settings_are_taken_or_refused(trial: Trial, name: str, toml: bytes, dotenv: bytes) -> None:
    """Any bytes as `pyproject.toml` or `.env`; commands that read go on without them."""
    path = trial.put(name, toml if name == "pyproject.toml" else dotenv)
    try:
        trial.command("settings")
        trial.command("run", "good.ipynb", "-n")
        trial.command("status")
    finally:
        path.unlink()


@given(name=st.sampled_from([*kinds.KINDS]), value=odd.values())
@examples(150)
def test_a_value_is_taken_or_refused(trial: Trial, name: str, value: Any) -> None:
    """Durations, sizes and all other values of settings: taken, or a ValueError that we say."""
    if value is None:
        return
    place = values.Place(Path.cwd(), trial.home)
    with contextlib.suppress(ValueError):  # which says what it must be
        trial.call(kinds.KINDS[name].read, value, place)
