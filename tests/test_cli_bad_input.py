"""Bad input is refused with one or two lines, and leaves nothing behind; and what is on stdout.

Each refusal: exit code 2, no traceback, an empty stdout, and not one file more or less.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.places import NBBG
from tests.project import Project, notebook, until
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = (
    *("run", "status", "show", "logs", "notebook", "attach", "wait", "stop", "resume", "retry"),
    *("results", "pair", "sync", "settings", "completion"),
)
TAKE_IDS = COMMANDS[1:11]


def _files(project: Project) -> dict[str, bytes]:
    """Every file and folder of the project and of the home folder, with its content."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for folder in (project.root, project.home)
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def _refused(project: Project, *words: str | Path) -> str:
    """What a command says that must be refused and must create nothing."""
    before = _files(project)
    done = project.nbbg(*words, code=2)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.splitlines()) <= 2, done.stderr
    assert _files(project) == before
    return done.stderr


@pytest.fixture
def train(project: Project) -> Project:
    """A project with a good notebook."""
    project.write("train.ipynb", "lr", parameters="lr = 0.1\nsteps = 3")
    return project


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a run that has succeeded, another that has failed, and nothing alive."""
    folder = tmp_path_factory.mktemp("launched")
    made = Project(folder / "project", folder / "home")
    (made.root / ".git").mkdir(parents=True)
    made.home.mkdir()
    made.write("train.ipynb", "for i in range(10000):\n    print('line', i)")
    made.write("bad.ipynb", "1 / 0")
    made.nbbg("run", "train.ipynb", "--wait")
    made.nbbg("run", "bad.ipynb", "--wait", code=1)
    until(lambda: made.members() == [])
    made.nbbg("status")  # takes the last events into the index
    return made


# What is launched.


def _truncated(path: Path) -> None:
    path.write_text(json.dumps(notebook("1"))[:-40])


def _unknown_kernel(path: Path) -> None:
    path.write_text(json.dumps(notebook("1", kernel="no-such-kernel")))


NOTEBOOKS: dict[str, tuple[str, Callable[[Path], Any] | None, str]] = {
    "no such file": ("gone.ipynb", None, "gone.ipynb"),
    "no such name": ("gone", None, "gone"),
    "a folder": ("folder.ipynb", Path.mkdir, "folder.ipynb"),
    "not JSON": ("text.ipynb", lambda path: path.write_text("hello\n"), "text.ipynb"),
    "empty": ("empty.ipynb", lambda path: path.write_text(""), "empty.ipynb"),
    "truncated": ("torn.ipynb", _truncated, "torn.ipynb"),
    "not a notebook": ("list.ipynb", lambda path: path.write_text("[1, 2]"), "list.ipynb"),
    "another JSON": ("other.ipynb", lambda path: path.write_text('{"a": 1}'), "other.ipynb"),
    "bytes": ("bytes.ipynb", lambda path: path.write_bytes(b"\xff\xfe\x00"), "bytes.ipynb"),
    "no Python": ("broken.py", lambda path: path.write_bytes(b"\xff\xfe\x00"), "broken.py"),
    "another kind": ("notes.txt", lambda path: path.write_text("# %%\n1\n"), "notes.txt"),
    "unknown kernel": ("kernel.ipynb", _unknown_kernel, "no-such-kernel"),
}


@pytest.mark.parametrize("case", NOTEBOOKS)
def test_a_notebook_that_cannot_be_read_is_named(project: Project, case: str) -> None:
    """What is no notebook, or names a kernel that is not there, is refused with its name."""
    name, make, said = NOTEBOOKS[case]
    project.environment["NBBG_PYTHON"] = ""
    if make:
        make(project.root / name)
    assert said in _refused(project, "run", name)


def test_a_script_without_cells_is_run_or_named(project: Project) -> None:
    """A `.py` that is no notebook is refused, or is one cell; it is never half of it."""
    (project.root / "plain.py").write_text("print('plain')\n")
    done = project.nbbg("run", "plain.py", "--wait", code=None)
    if done.returncode == 0:
        assert project.log(1) == "plain\n"
    else:
        assert "plain.py" in done.stderr


OPTIONS: dict[str, tuple[list[str], str]] = {
    "runs 0": (["--runs", "0"], "--runs 0: a number of 1 or more"),
    "runs -1": (["--runs", "-1"], "--runs"),
    "runs=-1": (["--runs=-1"], "--runs -1: a number of 1 or more"),
    "runs x": (["--runs", "x"], "--runs x: a number of 1 or more"),
    "runs +0": (["--runs", "+0"], "--runs +0: a number of 1 or more"),
    "runs 1.5": (["--runs", "1.5"], "--runs 1.5"),
    "seed": (["--seed", "x"], "--seed"),
    "unknown parameter": (["-p", "rl=0.1"], "rl (known: lr, steps)"),
    "no equals": (["-p", "lr"], "-p lr: NAME=VALUE"),
    "no name": (["-p", "=1"], "-p =1: NAME=VALUE"),
    "no identifier": (["-p", "a-b=1"], "-p a-b=1: NAME=VALUE"),
    "twice": (["-p", "lr=1", "-p", "lr=2"], "-p lr is given twice"),
    "unknown engine": (["--engine", "warp"], "warp"),
    "unknown executor": (["--executor", "moon"], "there is no executor 'moon'"),
    "jobs 0": (["--jobs", "0"], "--jobs"),
    "jobs x": (["--jobs", "x"], "--jobs"),
    "jobs -1": (["--jobs=-1"], "--jobs"),
    "grace": (["--grace", "soon"], "--grace"),
    "timeout": (["--timeout", "0"], "--timeout"),
    "cell timeout": (["--cell-timeout=-1m"], "--cell-timeout"),
    "watchdog": (["--watchdog", "soon"], "--watchdog"),
    "retries": (["--retries=-1"], "--retries = '-1': must be 0 or more"),
    "retry delay": (["--retry-delay", "x"], "must be a duration, such as 90s"),
    "python": (["--python", "/no/such/python"], "/no/such/python"),
    "python is a folder": (["--python", "."], "--python"),
    "python is no program": (["--python", "./train.ipynb"], "train.ipynb"),
    "unknown option": (["--colour"], "--colour"),
    "an option's value": (["--jobs"], "--jobs"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_an_option_that_cannot_be_meant_is_named(train: Project, case: str) -> None:
    """An option without a meaning is refused with the option, and with what it may be."""
    words, said = OPTIONS[case]
    assert said in _refused(train, "run", "train.ipynb", *words)


def test_without_a_notebook_there_is_an_example(project: Project) -> None:
    """`nbbg run` alone, where no setting names notebooks, says what to type."""
    assert "nbbg run train.ipynb" in _refused(project, "run")


def test_a_name_for_two_arms_is_refused(train: Project) -> None:
    """`--name` names one arm; a name that another arm has is not given twice."""
    train.write("other.ipynb", "1")
    said = _refused(train, "run", "train.ipynb", "other.ipynb", "--name", "both")
    assert "--name names one arm" in said


def test_an_interpreter_without_ipython_is_refused(train: Project) -> None:
    """Where the chosen interpreter has no IPython, a sentence says what to type."""
    venv.create(train.home / "bare", symlinks=True)
    said = _refused(train, "run", "train.ipynb", "--python", train.home / "bare")
    assert "pip install" in said
    assert str(train.home / "bare") in said


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (".env", "GOOD=1\nthis is no assignment\n", ".env:2"),
        (".env", "QUOTE='never closed\n", ".env:1"),
        (".env", "NBBG_JOBS=many\n", ".env"),
        ("pyproject.toml", "[tool.nbbg\njobs = 1\n", "pyproject.toml"),
        ("pyproject.toml", "[tool.nbbg]\njobs = 0\n", "jobs"),
        ("pyproject.toml", "[tool.nbbg]\nyobs = 1\n", "yobs"),
        ("pyproject.toml", "[tool]\nnbbg = 3\n", "pyproject.toml"),
    ],
)
def test_settings_that_cannot_be_read_are_named(
    train: Project, name: str, text: str, said: str
) -> None:
    """A malformed `.env` or `pyproject.toml` is refused with its place."""
    (train.root / name).write_text(text)
    assert said in _refused(train, "run", "train.ipynb")


def test_a_slip_in_the_settings_does_not_hide_the_runs(launched: Project) -> None:
    """Where a setting can't be read, commands that only read say so, and read."""
    slip = launched.root / ".env"
    slip.write_text("this is no assignment\n")
    done = launched.nbbg("status")
    slip.unlink()
    assert "succeeded" in done.stdout
    assert ".env:1" in done.stderr


def test_an_exit_file_that_is_there_already_is_refused(train: Project) -> None:
    """A batch that would stop at once is not launched."""
    (train.root / "enough").touch()
    said = _refused(train, "run", "train.ipynb", "--exit-file", "./enough")
    assert f"the exit file {train.root}/enough is there" in said


@pytest.mark.parametrize("command", ["run train.ipynb", "status", "show 1", "stop b1"])
def test_a_store_that_is_a_file_is_refused(train: Project, command: str) -> None:
    """Where `.nbbg` is a file, nothing is launched and nothing is read."""
    (train.root / ".nbbg").write_text("mine\n")
    assert ".nbbg" in _refused(train, *command.split())


def test_a_store_that_cannot_be_written_is_refused(train: Project) -> None:
    """Where the records can't be made, the launch says so, and where else they could go."""
    train.environment["NBBG_STORE"] = "/proc/nbbg"
    said = _refused(train, "run", "train.ipynb")
    assert "/proc/nbbg can't be written" in said
    assert "set `store` to another place" in said


def test_a_store_of_a_newer_nbbg_is_refused(train: Project) -> None:
    """Records in a later format are not touched; the line says how to upgrade."""
    (train.root / ".nbbg").mkdir()
    (train.root / ".nbbg" / "format").write_text("999\n")
    for command in ("run train.ipynb", "status", "stop b1"):
        assert "newer nbbg" in _refused(train, *command.split())


# Ids.


@pytest.mark.parametrize("command", TAKE_IDS)
def test_an_unknown_id_is_refused_by_every_command(launched: Project, command: str) -> None:
    """An id that is no run, batch or arm is refused, and the line names those that there are."""
    for name in ("99", "b99", "nosuch", "arm:99", "9" * 40, "b" + "9" * 18, "-1", ""):
        words = [command, "--", name] if name.startswith("-") else [command, name]
        said = _refused(launched, *words)
        assert f"there is no {name!r}; there are runs 1 to 2" in said


def test_arms_like_the_name_are_named_first(project: Project) -> None:
    """Of many arms, those that hold what was typed or are near it are shown; else the first."""
    project.write("a.ipynb", "pass")
    many = "-p", "x=a,b,c,d,e,f,g,h,short", "--allow-new-params", "--wait"
    project.nbbg("run", "a.ipynb", *many)
    assert "arms a/x=short, ...\n" in _refused(project, "show", "short")
    assert "arms a/x=short, " in _refused(project, "show", "a/x=shrot")
    assert "arms a/x=a, a/x=b, a/x=c," in _refused(project, "show", "99")


@pytest.mark.parametrize("command", TAKE_IDS)
def test_an_id_where_nothing_was_launched_is_refused(project: Project, command: str) -> None:
    """Before the first launch every id is unknown, and looking for it makes no store."""
    assert "nothing was launched" in _refused(project, command, "1")


@pytest.mark.parametrize(
    "command",
    [
        *("show", "logs", "notebook", "attach", "wait", "stop", "retry", "logs 1 --attempt 9"),
        *("logs 1 -n x", "wait 1 --timeout x", "wait 1 --timeout -3", "stop 1 --after-run"),
        *("attach 1", "completion fish-and-chips", "pair gone.ipynb", "sync gone.ipynb"),
        *("launch", "status --colour"),
    ],
)
def test_other_words_that_cannot_be_meant(launched: Project, command: str) -> None:
    """A missing id, an unknown command, a value that is no number: refused, with a line."""
    _refused(launched, *command.split())


def test_a_file_that_nbbg_did_not_make_is_not_replaced(launched: Project) -> None:
    """`notebook -o` refuses a file of yours, and a folder that is not there."""
    assert "nbbg did not make it" in _refused(launched, "notebook", "1", "-o", "train.ipynb")
    assert "gone" in _refused(launched, "notebook", "1", "-o", "gone/train.ipynb")


# Help, completion, stdout and stderr.


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(project: Project, command: str) -> None:
    """`--help` of every command ends with lines that can be typed as they are."""
    said = project.nbbg(command, "--help").stdout
    assert f"  nbbg {command}" in said.partition("examples:")[2]


def test_help_names_every_command(project: Project) -> None:
    """`nbbg --help` lists the commands; `nbbg` alone is bad input."""
    said = project.nbbg("--help").stdout
    assert [name for name in COMMANDS if not re.search(rf"^    {name}\b", said, re.MULTILINE)] == []
    _refused(project)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_scripts_are_shell(project: Project, shell: str) -> None:
    """The shell itself accepts what `nbbg completion` prints, and every command is in it."""
    script = project.nbbg("completion", shell).stdout
    assert [name for name in COMMANDS if name not in script] == []
    if shutil.which(shell):
        words = [shell, "-n"]
        done = subprocess.run(words, input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_data_is_on_stdout_and_talk_on_stderr(launched: Project) -> None:
    """What a program would read is on stdout alone, and `--json` is one document."""
    for words in (
        *("status --json", "show 1 --json", "results --json", "settings --json", "wait 1 --json"),
    ):
        json.loads(launched.nbbg(*words.split()).stdout)
    logs = launched.nbbg("logs", "1")
    assert (logs.stdout.count("\n"), logs.stderr) == (10000, "")
    json.loads(launched.nbbg("notebook", "1", "-o", "-").stdout)
    stopped = launched.nbbg("stop", "1")
    assert stopped.stdout == ""
    assert "has ended already" in stopped.stderr
    status = launched.nbbg("status")
    assert "nbbg retry" in status.stderr
    assert "nbbg retry" not in status.stdout
    waited = launched.nbbg("wait", "2", code=1)
    assert waited.stdout == ""
    assert "ZeroDivisionError" in waited.stderr


@pytest.mark.parametrize(
    "command", ["logs 1", "status", "status --json", "notebook 1 -o -", "--help"]
)
def test_a_reader_may_leave_early(launched: Project, command: str) -> None:
    """`nbbg logs 1 | head -1` ends without a word about a broken pipe."""
    reader = f"{' '.join(NBBG)} {command} | head -c 1; echo ${{PIPESTATUS[0]}} >&2"
    done = subprocess.run(
        ["bash", "-c", reader],
        cwd=launched.root,
        env=launched.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout) == 1
    code = done.stderr.splitlines()[-1]
    assert code == "0"
    assert "BrokenPipe" not in done.stderr
    assert "Traceback" not in done.stderr


def test_colours_are_for_terminals_that_want_them(launched: Project) -> None:
    """There are colours on a terminal, and none in a pipe, with NO_COLOR or on a dumb one."""
    assert "\x1b" not in launched.nbbg("status").stdout
    seen = {}
    for name, given in {
        "plain": {},
        "NO_COLOR": {"NO_COLOR": "1"},
        "dumb": {"TERM": "dumb"},
    }.items():
        environ = {**launched.environ(), **given}
        with Terminal([*NBBG, "status"], launched.root, environ) as terminal:
            assert terminal.ended() == 0
            seen[name] = terminal.shown()
    assert "\x1b[32msucceeded" in seen.pop("plain")
    for shown in seen.values():
        assert "succeeded" in shown
        assert "\x1b" not in shown


def test_debug_shows_the_traceback(project: Project) -> None:
    """`--debug` is for whoever mends nbbg: the error comes with its traceback."""
    done = project.nbbg("--debug", "run", "gone.ipynb", code=1)
    assert "Traceback" in done.stderr
    assert "NotebookError" in done.stderr


def test_readers_change_nothing_without_a_launch(project: Project) -> None:
    """Looking at a project in which nothing was launched makes no file, and is no error."""
    before = _files(project)
    for command in ("status", "status --json", "results", "resume", "settings", "retry --failed"):
        project.nbbg(*command.split())
    assert _files(project) == before


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("log 1", "nbbg: there is no command log; did you mean logs?\nsee: nbbg --help\n"),
        ("run train.ipynb --lr 0.1", "a parameter: -p lr=0.1; see: nbbg run --help\n"),
        ("run train.ipynb --lr=0.1", "a parameter: -p lr=0.1; see: nbbg run --help\n"),
        ("run train.ipynb --job 2", "did you mean --jobs?\nsee: nbbg run --help\n"),
        ("status --wat", "did you mean --watch?\nsee: nbbg status --help\n"),
        ("attach 1 2", "nbbg attach: one too many: 2\nsee: nbbg attach --help\n"),
        ("--debig status", "did you mean --debug?\nsee: nbbg --help\n"),
    ],
)
def test_the_nearest_word_is_named(launched: Project, typed: str, hint: str) -> None:
    """A word that means nothing is answered with the one that was likely meant, never guessed."""
    assert hint in _refused(launched, *typed.split())


def test_options_may_stand_among_names(train: Project) -> None:
    """`run A --runs 1 B` launches both notebooks."""
    train.write("other.ipynb", "1")
    train.nbbg("run", "train.ipynb", "--runs", "1", "other.ipynb", "--wait")
    assert [run["arm"] for run in train.runs()] == ["train", "other"]


def test_wait_takes_durations(launched: Project) -> None:
    """`wait --timeout` is typed as every other limit, and says what it takes."""
    launched.nbbg("wait", "1", "--timeout", "1m30s")
    launched.nbbg("wait", "1", "--timeout", "0")
    assert "such as 90s, 10m" in _refused(launched, "wait", "1", "--timeout", "soon")
