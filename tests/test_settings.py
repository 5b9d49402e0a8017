"""Settings know where they came from, and a wrong one is said with its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dotenv
import pytest

from nbbg import settings
from nbbg.errors import UsageError
from nbbg.settings import Setting


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def resolved(environment: dict[str, str] | None = None, **flags: object) -> settings.Settings:
    """The settings of the project here."""
    return settings.resolve(Path.cwd(), {"HOME": "/home/me", **(environment or {})}, flags)


def message(environment: dict[str, str] | None = None, **flags: object) -> str:
    """What is said about settings that can't be meant."""
    with pytest.raises(UsageError) as caught:
        resolved(environment, **flags)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_the_nearest_place_counts() -> None:
    """Flag, environment, .env, pyproject.toml, default: the first that has it, and it is named."""
    assert resolved()["jobs"] == Setting("jobs", 1, "default")
    Path("pyproject.toml").write_text("[tool.nbbg]\njobs = 2\n")
    assert resolved()["jobs"] == Setting("jobs", 2, "pyproject.toml")
    Path(".env").write_text("NBBG_JOBS=3\n")
    assert resolved()["jobs"] == Setting("jobs", 3, ".env")
    assert resolved({"NBBG_JOBS": "4"})["jobs"] == Setting("jobs", 4, "NBBG_JOBS")
    assert resolved({"NBBG_JOBS": ""}).jobs == 3
    assert resolved({"NBBG_JOBS": "4"}, jobs=5)["jobs"] == Setting("jobs", 5, "--jobs")
    assert resolved(jobs=None).jobs == 3


def test_every_setting_has_a_default() -> None:
    """Without any file, one job, the local executor, 10 seconds of grace, and nothing else."""
    found = resolved()
    assert (found.jobs, found.executor, found.grace) == (1, "local", 10.0)
    assert (found.engine, found.python, found.store, found.exit_file) == ("", "", "", "")
    assert (found.notebooks, found.run_times, found.secrets) == ((), None, ())
    assert {setting.source for setting in found.all} == {"default"}


def test_every_setting_is_typed() -> None:
    """What is text in the environment arrives as what it means."""
    environment = {
        "NBBG_GRACE": "2.5",
        "NBBG_ENGINE": "kernel",
        "NBBG_EXECUTOR": "slurm",
        "RUN_TIMES": "20",
        "NOTEBOOKS": "a.ipynb, 'my notes.ipynb' c",
        "NBBG_SECRETS": "PIN,CODE",
    }
    found = resolved(environment)
    assert (found.grace, found.engine, found.executor) == (2.5, "kernel", "slurm")
    assert (found.run_times, found.secrets) == (20, ("PIN", "CODE"))
    assert found.notebooks == ("a.ipynb", "my notes.ipynb", "c")
    Path("pyproject.toml").write_text(
        '[tool.nbbg]\nrun-times = 7\nnotebooks = ["a b"]\nexit-file = "stop"\ngrace = 3\n'
    )
    found = resolved()
    assert (found.run_times, found.notebooks, found.grace) == (7, ("a b",), 3.0)


def test_paths_are_relative_to_where_they_are_written(tmp_path: Path) -> None:
    """In a file of the project they start at its root, on the command line where one is."""
    (tmp_path / ".venv").mkdir()
    Path(".env").write_text("NBBG_PYTHON=.venv\nNBBG_STORE=../scratch\nEXIT_FILE=./stop\n")
    Path("below").mkdir()
    os.chdir("below")
    found = settings.resolve(tmp_path, {"HOME": "/home/me"}, {})
    assert found.python == str(tmp_path / ".venv")
    assert found.store == str(tmp_path.parent / "scratch")
    assert found.exit_file == str(tmp_path / "stop")
    found = settings.resolve(tmp_path, {"HOME": "/home/me"}, {"store": "~/s", "python": "./p"})
    assert (found.store, found.python) == ("/home/me/s", str(tmp_path / "below" / "p"))
    assert settings.resolve(tmp_path, {}, {"python": "conda:ml"}).python == "conda:ml"
    assert settings.resolve(tmp_path, {}, {"python": "python3.12"}).python == "python3.12"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("stop-nbbg", "/home/me/.stop-nbbg"),
        (".stop", "/home/me/.stop"),
        ("/scratch/stop", "/scratch/stop"),
        ("~/stop", "/home/me/stop"),
        ("", ""),
    ],
)
def test_the_exit_file_may_be_a_bare_name(given: str, path: str) -> None:
    """A bare name is a hidden file in the home folder; anything else is a path."""
    Path(".env").write_text(f"EXIT_FILE={given}\n")
    assert resolved().exit_file == path


def test_a_duration_is_typed_as_people_say_it() -> None:
    """Bare seconds, or units from days to seconds; `none` takes a limit back."""
    given = {
        "90": 90,
        "90s": 90,
        "10m": 600,
        "10 min": 600,
        "2h": 7200,
        "1h30m": 5400,
        "1d": 86400,
        "0.5": 0.5,
        "1.5 H": 5400,
        "none": 0,
    }
    assert {text: resolved({"NBBG_TIMEOUT": text}).timeout for text in given} == given
    assert resolved(cell_timeout=90).cell_timeout == 90
    assert resolved({"NBBG_WATCHDOG": "1h"}).watchdog == 3600
    assert (resolved().timeout, resolved().quiet_after) == (0, 600)
    assert resolved({"NBBG_ALLOW_ERRORS": "yes"}).allow_errors
    assert resolved({"NBBG_ALLOW_ERRORS": "maybe"}, allow_errors=False).allow_errors is False


@pytest.mark.parametrize("text", ["0", "-5m", "soon", "5x", "10m 5", "nan", "1h-2m", "0s", "inf"])
def test_what_is_no_duration(text: str) -> None:
    """Nothing, less than nothing, and nonsense are refused with an example."""
    said = message({"NBBG_TIMEOUT": text})
    assert said.startswith(f"NBBG_TIMEOUT = '{text}': must be a duration longer than 0, such as")


def test_a_file_of_the_users_own_counts_in_every_project() -> None:
    """It goes behind the project's own settings, and a slip in it is said with its place."""
    mine = Path.cwd() / "home/nbbg/settings.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text("machine-jobs = 3\njobs = 2\n")
    Path("pyproject.toml").write_text("[tool.nbbg]\njobs = 4\n")
    environment = {"XDG_CONFIG_HOME": str(Path.cwd() / "home")}
    found = resolved(environment)
    assert found["machine_jobs"] == Setting("machine_jobs", 3, str(mine))
    assert found.jobs == 4
    assert resolved({**environment, "NBBG_MACHINE_JOBS": "none"}).machine_jobs == 0
    mine.write_text("machine-jobs = 0\n")
    assert message(environment) == f"machine_jobs = 0 in {mine}: must be 1 or more"
    mine.write_text("limit = 3\n")
    assert message(environment).startswith(f"{mine}: the file knows no limit; there are: jobs")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("0,1", ("0", "1")),
        ("02 1", ("2", "1")),
        (0, ("0",)),
        ([0, "1"], ("0", "1")),
        ("all", ("all",)),
        ("none", ()),
        ("GPU-8a3-b,MIG-1f", ("GPU-8a3-b", "MIG-1f")),
    ],
)
def test_gpus_are_named_as_nvidia_smi_does(given: object, meant: tuple[str, ...]) -> None:
    """Numbers and UUIDs, in any of the forms in which lists are given."""
    assert resolved(gpus=given).gpus == meant


@pytest.mark.parametrize("given", ["x", "-1", "all,0", "0;1", True, "1.5", ","])
def test_what_is_no_gpu_is_refused(given: object) -> None:
    """Nothing else names a GPU."""
    assert message(gpus=given).endswith(
        "must be numbers or UUIDs as nvidia-smi -L has them, or all"
    )


def test_sizes_of_memory_are_meant_exactly() -> None:
    """8GiB is a little more than 8GB."""
    assert resolved(gpu_free="8GiB").gpu_free == 8 << 30
    assert resolved(gpu_free="8GB").gpu_free == resolved(gpu_free="8G").gpu_free == 8 * 10**9
    assert resolved(gpu_free="1.5 mib").gpu_free == 3 << 19
    assert "must be a size" in message(gpu_free="8XiB")


def test_what_can_not_be_meant_is_said_with_its_place() -> None:
    """The name, the value, the file, and what it must be."""
    here = Path.cwd()
    assert message({"NBBG_JOBS": "x"}) == "NBBG_JOBS = 'x': must be a whole number, 1 or more"
    assert message(jobs=0) == "--jobs = 0: must be 1 or more"
    assert message(run_times=True) == "--run-times = True: must be a whole number, 1 or more"
    assert message({"NBBG_GRACE": "nan"}).endswith("must be a number of seconds, 0 or more")
    assert message({"NBBG_ENGINE": "x"}).endswith("must be ipython, kernel, plain")
    assert "NOTEBOOKS = " in message({"NOTEBOOKS": "'a"})
    Path("pyproject.toml").write_text("[tool.nbbg]\njobs = 1.5\n")
    assert message() == (f"jobs = 1.5 in {here}/pyproject.toml: must be a whole number, 1 or more")
    Path("pyproject.toml").write_text("[tool.nbbg]\nexecutor = 3\n")
    assert message() == f"executor = 3 in {here}/pyproject.toml: must be a text"
    Path("pyproject.toml").write_text("[tool.nbbg]\njob = 3\n")
    assert message().startswith(
        f"{here}/pyproject.toml: [tool.nbbg] knows no job; there are: jobs, machine-jobs"
    )
    for text in ("[tool]\nnbbg = 3\n", "tool = 3 # nbbg\n"):
        Path("pyproject.toml").write_text(text)
        assert message() == f"{here}/pyproject.toml: [tool.nbbg] must be a table"
    Path("pyproject.toml").write_text("[tool.nbbg\n")
    assert message().startswith(f"{here}/pyproject.toml: is no TOML: ")
    Path("pyproject.toml").write_bytes(b"# \xe9 nbbg")
    assert message() == f"{here}/pyproject.toml: can't be read: it is not UTF-8"
    assert message(color="red").startswith("there is no setting color; there are: jobs")


DOTENV = """\
# a comment
export A=1
B='single $A'
C="double ${A} \\n end"
D=${B}-${NBBG_TEST_OUTER:-none}-${E:-later}
E=  # empty
F
G=a#b   # comment
"""


def test_the_dotenv_file_is_read_as_dotenv_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes, comments and interpolation are python-dotenv's."""
    Path(".env").write_text(DOTENV)
    for value in (None, "outer"):
        if value:
            monkeypatch.setenv("NBBG_TEST_OUTER", value)
        read = dotenv.dotenv_values(".env")
        theirs = {key: text for key, text in read.items() if text is not None}
        assert settings.dotenv_environment(Path.cwd()) == theirs
        assert "F" not in theirs


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n\n\nB 2\n", 4), ("A='open\nB=2\n", 1), ("A=1\n# c\n=x\n", 3), ('A="a"b\n', 1)],
)
def test_a_malformed_line_of_dotenv_is_said(text: str, line: int) -> None:
    """A line that python-dotenv would skip with a log message stops the command."""
    Path(".env").write_text(text)
    assert message().startswith(f"{Path.cwd()}/.env:{line}: is not NAME=value")


def test_secrets_are_shown_masked() -> None:
    """Values of secrets are as many asterisks, also those that only the settings name."""
    variables = {"WANDB_API_KEY": "0123456789", "A": "visible", "MY_PIN": "12345678"}
    assert settings.masked(variables, also=("MY_PIN",)) == {
        "WANDB_API_KEY": "**********",
        "A": "visible",
        "MY_PIN": "********",
    }


def test_nothing_is_imported_that_is_not_needed() -> None:
    """Without `.env` and pyproject.toml, neither python-dotenv nor tomllib is imported."""
    program = (
        "import os, sys; before = set(sys.modules);"
        "from pathlib import Path; from nbbg import settings;"
        "settings.resolve(Path(), os.environ, {});"
        "print(sorted({'dotenv', 'tomllib'} & (set(sys.modules) - before)))"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "[]\n"
