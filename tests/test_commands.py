"""What a person sees and expects of single commands, beside the survival of runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.project import LONG, PYTHON, Project, alive, until

COUNTS = "print('counted')"
OBEYS = (
    "import nbbg, time\n"
    "for step in nbbg.track(range(600)):\n"
    "    time.sleep(0.05)\n"
    "    if nbbg.should_stop():\n"
    "        print('heard')\n"
    "        break"
)


def test_a_run_that_obeys_a_stop_is_stopped(project: Project) -> None:
    """A loop that breaks at `should_stop` has not done its work: it can be resumed."""
    project.write("train.ipynb", OBEYS, "print('last cell')")
    project.nbbg("run", "train.ipynb")
    project.until_running(1, "it/s")
    project.nbbg("stop", "1")
    assert "heard" in project.log(1)
    assert project.state(1) == "stopped"
    assert "going on: run 1 of b1" in project.nbbg("resume").stdout


def test_a_notebook_can_run_notebooks(project: Project) -> None:
    """`nbbg.run_notebook` works inside a run, where nbbg is installed for it."""
    project.write("report.ipynb", "table = {'a': 1}")
    project.write(
        "outer.ipynb",
        "import nbbg\n(table,) = nbbg.run_notebook('report', results=['table'])\nprint(table)",
    )
    project.nbbg("run", "outer.ipynb", "--wait")
    assert "{'a': 1}" in project.log(1)


def test_a_plain_launch_of_a_changed_notebook_says_so(project: Project) -> None:
    """One more run of an arm that has changed is started, with a word; a target is refused."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--wait")
    project.write("train.ipynb", COUNTS, "print('more')")
    assert "mixes two versions" in project.nbbg("run", "train.ipynb", "--wait").stderr
    assert "--name NEW" in project.nbbg("run", "train.ipynb", "--runs", "3", code=2).stderr


def test_what_was_run_anew_counts_no_more(project: Project) -> None:
    """After a fix and `--mix`, the failures of the old code trouble nobody."""
    project.write("train.ipynb", "1 / 0")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--wait", code=1)
    project.write("train.ipynb", "1 / 1")
    said = project.nbbg("retry", "1").stderr
    assert "has changed since" in said
    project.nbbg("wait", "b1", code=1)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--mix", "--wait")
    assert project.nbbg("wait", "train").returncode == 0
    assert [run["id"] for run in project.runs("train")] == [3, 4]
    assert "run anew" in project.nbbg("retry", "1").stderr
    assert "retry" not in project.nbbg("status", "train").stderr


def test_the_usual_name_is_joined_before_a_given_one(project: Project) -> None:
    """A launch without a name goes on with the arm of the usual name."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--wait")
    project.nbbg("run", "train.ipynb", "--name", "other", "--wait")
    project.nbbg("run", "train.ipynb", "--wait")
    assert [run["arm"] for run in project.runs()] == ["train", "other", "train"]


def test_a_notebook_named_twice_is_run_once(project: Project) -> None:
    """The same arm twice in one launch is one arm."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "./train.ipynb", "--runs", "2", "--wait")
    assert [run["number"] for run in project.runs()] == [1, 2]


@pytest.mark.parametrize("name", ["", "..", "a/../b", "a\nb", "/etc"])
def test_a_name_is_a_name(project: Project, name: str) -> None:
    """What could lead out of a folder, or can't be typed, is no name of an arm."""
    project.write("train.ipynb", COUNTS)
    assert "--name" in project.nbbg("run", "train.ipynb", "--name", name, code=2).stderr
    assert not (project.root / ".nbbg").exists()


def test_a_slip_in_the_settings_locks_nobody_out(project: Project) -> None:
    """A run can be seen and stopped although `.env` has become unreadable meanwhile."""
    project.write("train.ipynb", LONG)
    project.nbbg("run", "train.ipynb")
    project.until_running(1)
    (project.root / ".env").write_text("NBBG_JOBS=many\n")
    assert "running" in project.nbbg("status").stdout
    project.nbbg("stop", "1")
    assert project.state(1) == "stopped"
    assert "many" in project.nbbg("run", "train.ipynb", code=2).stderr


def test_notebooks_of_the_settings_are_the_projects(project: Project) -> None:
    """`nbbg run` in a sub-folder means the notebooks of the project's own `.env`."""
    project.write("train.ipynb", COUNTS)
    project.write("sub/train.ipynb", "1 / 0")
    (project.root / ".env").write_text("NOTEBOOKS=train.ipynb\nRUN_TIMES=1\n")
    project.nbbg("run", "--wait", folder=project.root / "sub")
    assert [(run["notebook"], run["state"]) for run in project.runs()] == [
        ("train.ipynb", "succeeded")
    ]


def test_one_run_of_a_stopped_batch_can_go_on_alone(project: Project) -> None:
    """`resume 3` starts run 3, and leaves the batch stopped for the others."""
    project.write("train.ipynb", LONG)
    project.nbbg("run", "train.ipynb", "--runs", "4")
    project.until_running(1)
    project.nbbg("stop", "b1")
    project.nbbg("resume", "3")
    project.until_running(3)
    project.nbbg("stop", "3")
    until(lambda: project.supervisor() is None)
    assert [run["state"] for run in project.runs()] == ["stopped"] * 4
    assert [run["attempt"] for run in project.runs()] == [1, 0, 1, 0]


def test_a_stop_that_was_killed_leaves_nothing_behind_for_ever(project: Project) -> None:
    """A queued run whose stop came half-way can still be resumed."""
    project.write("train.ipynb", LONG)
    project.nbbg("run", "train.ipynb", "--runs", "2")
    project.until_running(1)
    (project.batch("b1") / "runs" / "2" / "1").mkdir(parents=True)
    (project.batch("b1") / "runs" / "2" / "1" / "stop.json").write_text('{"by": "nbbg stop"}')
    project.nbbg("stop", "1")
    project.nbbg("resume", "2")
    project.until_running(2)


def test_an_exit_file_refuses_before_anything_is_published(project: Project) -> None:
    """A launch that would revive a batch whose exit file is there creates nothing."""
    project.write("train.ipynb", COUNTS)
    exit_file = project.root / "enough"
    project.nbbg("run", "train.ipynb", "--exit-file", exit_file, "--runs", "1", "--wait")
    project.write("slow.ipynb", LONG)
    project.nbbg("run", "slow.ipynb", "--exit-file", exit_file, "--runs", "2")
    project.until_running(2)
    exit_file.touch()
    project.nbbg("stop", "2")
    until(lambda: project.supervisor("b2") is None)
    assert str(exit_file) in project.nbbg("run", "slow.ipynb", "--runs", "5", code=2).stderr
    assert [batch["id"] for batch in project.status()["batches"]] == ["b1", "b2"]


def test_a_secret_is_no_parameter(project: Project) -> None:
    """Parameters are recorded, so a secret of the environment is refused as one."""
    project.environment["HF_TOKEN"] = "hf_abcdefghijkl"
    project.write("train.ipynb", "print(token)", parameters="token = ''")
    said = project.nbbg("run", "train.ipynb", "-p", "token=hf_abcdefghijkl", code=2).stderr
    assert "parameter token holds a secret" in said
    assert "hf_abc" not in said
    assert not (project.root / ".nbbg").exists()


def test_what_holds_a_secret_is_not_recorded_either(project: Project) -> None:
    """A variable that contains a secret reaches the run, and no record."""
    project.environment["HF_TOKEN"] = "hf_abcdefghijkl"
    project.environment["CURL_OPTS"] = "-H Bearer:hf_abcdefghijkl"
    project.write("train.ipynb", "import os\nprint(len(os.environ['CURL_OPTS']))")
    project.nbbg("run", "train.ipynb", "--wait")
    assert project.log(1) == "25\n"
    for path in project.root.rglob("*"):
        assert not path.is_file() or b"hf_abc" not in path.read_bytes()


def test_missing_secrets_are_said_at_a_resume(project: Project) -> None:
    """Who resumes from another shell learns which secrets are not there."""
    project.environment["HF_TOKEN"] = "hf_abcdefghijkl"
    project.write("train.ipynb", LONG)
    project.nbbg("run", "train.ipynb")
    project.until_running(1)
    project.nbbg("stop", "1")
    del project.environment["HF_TOKEN"]
    assert "HF_TOKEN" in project.nbbg("resume").stderr


def test_an_ending_is_found_behind_whatever_follows_it(project: Project) -> None:
    """A tracker that talks at exit does not make a success into something else."""
    talks = (
        "import atexit, sys\n"
        "def upload():\n"
        "    for i in range(2000): print('uploading', i, file=sys.stderr)\n"
        "atexit.register(upload)"
    )
    project.write("train.ipynb", talks)
    project.nbbg("run", "train.ipynb", "--wait")
    assert "uploading 1999" in project.log(1)


def test_a_launcher_that_ignores_its_children_changes_nothing(project: Project) -> None:
    """SIGCHLD may be ignored where `nbbg run` is typed, as by some process managers."""
    project.write("train.ipynb", COUNTS)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        project.nbbg("run", "train.ipynb", code=None)
    finally:
        signal.signal(signal.SIGCHLD, before)
    project.nbbg("wait", "1", "--timeout", "20")


def test_an_inline_run_tells_how_it_ended(project: Project) -> None:
    """The exit code of a run in this very process is the run's."""
    project.write("train.ipynb", "1 / 0")
    done = project.nbbg("run", "train.ipynb", "--executor", "inline", code=1)
    assert "ZeroDivisionError" in done.stderr
    assert done.stdout.startswith("batch b1: run 1")
    assert "ZeroDivisionError" in done.stdout
    assert "\x1b" not in done.stdout  # it is no terminal


def test_messages_stay_on_their_lines(project: Project) -> None:
    """An exception of many lines does not tear the tables."""
    project.write("train.ipynb", "raise RuntimeError('a\\nb\\n' + 'long ' * 200)")
    project.nbbg("run", "train.ipynb", "--wait", code=1)
    lines = project.nbbg("status").stdout.splitlines()
    assert len(lines) == 4
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) < 140


def test_show_names_what_is_not_there(project: Project) -> None:
    """An output that could not be written is said, with the way to make it."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--results", "x", "--wait")
    shutil.rmtree(project.root / "outputs")
    assert "not written; make it: nbbg notebook 1" in project.nbbg("show", "1").stdout


def test_logs_of_a_failed_run_lead_to_its_traceback(project: Project) -> None:
    """The traceback is in the notebook, not in what was printed; `logs` says where."""
    project.write("train.ipynb", "print('so far')", "1 / 0")
    project.nbbg("run", "train.ipynb", "--wait", code=1)
    done = project.nbbg("logs", "1")
    assert done.stdout == "so far\n"
    assert "nbbg show 1" in done.stderr


def test_a_batch_that_is_through_is_not_marked_as_stopped(project: Project) -> None:
    """Stopping what has ended changes nothing."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--wait", "--runs", "3")
    assert project.nbbg("stop", "1").stderr == "run 1 has ended already: succeeded\n"
    assert project.nbbg("stop", "b1").stderr == "runs 1-3 have ended already: succeeded\n"
    assert "stopped" not in project.nbbg("status").stdout


def test_the_supervisor_of_a_stopped_project_is_gone(project: Project) -> None:
    """When nothing is left to do, nothing of nbbg runs."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--wait")
    until(lambda: not [who for who in project.members() if alive(who.pid)])
    assert os.listdir(project.batch("b1") / "runs") == ["1"]


def test_a_moved_project_goes_on(project: Project) -> None:
    """A project that is moved while its batch is at work loses nothing, and needs nobody."""
    project.write("train.ipynb", "import time\ntime.sleep(2)\nx = 5")
    project.nbbg("run", "train.ipynb", "--runs", "3", "--results", "x")
    project.until_running(1)
    moved = project.root.with_name("moved elsewhere")
    project.root.rename(moved)
    project.root = moved
    project.nbbg("wait", "b1")
    for run in project.runs():
        assert run["state"] == "succeeded"
        assert run["attempt"] == 1
        assert run["output"].startswith(str(moved))
        assert json.loads(Path(run["output"]).read_bytes())["metadata"]["nbbg"]["run"] == run["id"]


def test_a_copied_project_is_its_own(project: Project) -> None:
    """What is resumed in a copy leaves the original alone."""
    project.write("train.ipynb", "open('mark', 'a').close()\nimport time\ntime.sleep(60)")
    project.nbbg("run", "train.ipynb")
    until((project.root / "mark").exists)
    project.nbbg("stop", "1")
    copy = Project(project.root.with_name("copy"), project.home, project.environment)
    shutil.copytree(project.root, copy.root)
    (copy.root / "mark").unlink()
    try:
        copy.nbbg("resume")
        until((copy.root / "mark").exists)
        copy.nbbg("stop", "1")
    finally:
        copy.end_all()
    assert copy.run(1)["output"].startswith(str(copy.root))
    assert project.run(1)["attempt"] == 1


def test_no_run_steers_the_terminal(project: Project) -> None:
    """What an exception or a metric says has no escape sequence when `show` says it."""
    says = "import nbbg\nsays = '\\x1b]0;title\\x07\\x1b[2Jhm'\nnbbg.log(name=says)"
    project.write("fails.ipynb", says, "raise ValueError(says)")
    project.nbbg("run", "fails.ipynb", "--wait", code=1)
    shown = project.nbbg("show", "1").stdout
    assert "hm" in shown
    assert not {"\x1b", "\x07"} & set(shown.partition("cell 2:")[0])
    assert "\x1b" not in shown


def test_status_names_the_batch_of_the_runs_that_it_leaves_out(project: Project) -> None:
    """What failed yesterday is found with the line that is printed, whatever was launched since."""
    project.write("bad.ipynb", "1 / 0")
    project.write("good.ipynb", "1")
    project.nbbg("run", "bad.ipynb", "--engine", "plain", "--wait", code=1)
    project.nbbg("run", "good.ipynb", "--engine", "plain", "--runs", "10", "--jobs", "4", "--wait")
    assert "and 1 failed: nbbg status b1\n" in project.nbbg("status").stdout


def test_text_that_is_none_hides_nothing(project: Project) -> None:
    """Half a surrogate pair in what a run says is told escaped; as a parameter it is refused."""
    says = "lr = '\\ud800'\nimport nbbg\nnbbg.log(name=lr)"
    project.write("odd.ipynb", "raise ValueError(lr)", parameters=says)
    project.nbbg("run", "odd.ipynb", "--wait", code=1)
    for line in ("show 1 --json", "status --json", "results --json"):
        json.loads(project.nbbg(*line.split()).stdout)
    for line in ("show 1", "logs 1", "results", "notebook 1 -o -"):
        project.nbbg(*line.split())
    refused = project.nbbg("run", "odd.ipynb", "-p", 'lr="\\ud800"', code=2).stderr
    assert "odd.ipynb: lr is given half a surrogate pair" in refused


@pytest.mark.parametrize(
    "left",
    [
        "import atexit; atexit.register(print, 'the end')",
        "import threading; threading.Timer(0.5, print, ['the end']).start()",
    ],
)
def test_a_command_leaves_nothing_undone(project: Project, left: str) -> None:
    """A command ends its process at once, unless a library or a thread has something to do."""
    code = f"{left}\nimport sys\nfrom nbbg.cli import main\nsys.argv = ['nbbg', 'status']\nmain()"
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--wait")
    done = subprocess.run(
        [PYTHON, "-c", code],
        cwd=project.root,
        env=project.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "train" in done.stdout
    assert done.stdout.endswith("the end\n")
