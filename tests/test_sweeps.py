"""Sweeps: the four tools that people have today, from their own files; plans; what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.project import PATIENCE, PYTHON, Project, notebook, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUM = ("print(x_values + y_values)",)
DECLARED = "x_values = 100\ny_values = 100"
POINTS = {"x_values": [0, 1, 2], "y_values": [45, 32, 60]}
TRY = "try:\n    config\nexcept NameError:\n    config = {'rows': 0}\nprint(config['rows'])"


def _put(project: Project, name: str, value: Any) -> None:
    (project.root / name).write_text(json.dumps(value))


def _printed(path: Path) -> str:
    """What the cells of an executed notebook have printed."""
    outputs = [out for cell in json.loads(path.read_text())["cells"] for out in cell["outputs"]]
    return "".join(out["text"] for out in outputs)


def _all(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _python(project: Project, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-P", "-c", code],
        cwd=project.root,
        env=project.environ(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def _plan(project: Project, *words: str) -> list[dict[str, Any]]:
    found = json.loads(project.nbbg("run", *words, "-n", "--json").stdout)
    runs: list[dict[str, Any]] = found["runs"]
    return runs


# The four tools, with their own inputs.


def test_the_resumable_loop(project: Project) -> None:
    """A `.env` with folders and globs: what has succeeded is kept, and the rest is started."""
    project.write("loop/one.ipynb", "import os\nassert os.path.exists('ok')")
    project.write("two.ipynb", "1")
    names = "NOTEBOOKS='loop two*.ipynb'\nRUN_TIMES=2\nEXIT_FILE=./halt\nNBBG_JOBS=2\n"
    (project.root / ".env").write_text(names)
    project.nbbg("run", "--wait", code=1)
    (project.root / "loop/ok").touch()
    said = project.nbbg("run", "--wait", folder=project.root / "loop").stdout
    assert "kept: 2 that have succeeded" in said
    runs = project.runs()
    assert [(run["arm"], run["number"], run["attempt"]) for run in runs] == [
        ("one", 1, 2),
        ("two", 1, 1),
        ("one", 2, 2),
        ("two", 2, 1),
    ]
    (project.root / "halt").touch()
    assert "halt" in project.nbbg("run", "--runs", "3", code=2).stderr


def test_killed_in_the_middle_and_started_again(project: Project) -> None:
    """After everything was killed, the same command starts what is missing, and nothing twice."""
    work = "import os, time\nn = int(os.environ['RUN_NUMBER'])\n"
    project.write(
        "loop.ipynb", f"{work}while n > 3 and not os.path.exists('go'):\n    time.sleep(0.02)"
    )
    (project.root / ".env").write_text("NOTEBOOKS=loop.ipynb\nRUN_TIMES=6\n")
    project.nbbg("run")
    project.until_running(4)
    for pid in (project.supervisor(), project.run(4)["runner_pid"], project.run(4)["pid"]):
        os.kill(int(pid or 0), signal.SIGKILL)
    until(lambda: project.members() == [])
    (project.root / "go").touch()
    said = project.nbbg("run", "--wait").stdout
    assert "kept: 3 that have succeeded" in said
    assert [run["attempt"] for run in project.runs()] == [1, 1, 1, 2, 1, 1]
    assert [run["number"] for run in project.runs()] == [1, 2, 3, 4, 5, 6]


def test_named_configurations(project: Project) -> None:
    """Each is injected whole, at the top of an untagged notebook, and named by its label."""
    project.write("hello.ipynb", TRY)
    project.write("told.ipynb", "print(config['rows'], rows)", parameters="rows = 0")
    configs = {
        "bank": {"notebook": "hello.ipynb", "output_label": "b/ank", "rows": 3},
        "shop": {"notebook": "hello", "output_label": "shop", "rows": 4, "any thing": None},
        "told": {"notebook": "told.ipynb", "rows": 5},
    }
    _put(project, "configs.json", configs)
    project.nbbg("run", "-f", "configs.json", "-j", "2", "--wait")
    outputs = project.root / "outputs"
    assert _all(outputs) == [
        "hello/b_ank/hello_b_ank.ipynb",
        "hello/shop/hello_shop.ipynb",
        "told/told/told_told.ipynb",
    ]
    assert _printed(outputs / "hello/shop/hello_shop.ipynb") == "4\n"
    assert _printed(outputs / "told/told/told_told.ipynb") == "5 5\n"
    assert project.run(2)["params"] == {"config": configs["shop"]}
    assert project.executed(1)["cells"][0]["source"].startswith("# Parameters\nconfig = {")
    plan = _plan(project, "hello.ipynb", "-f", "configs.json", "--runs", "2")
    assert [(run["arm"], run["now"]) for run in plan] == [
        ("hello/b/ank", "succeeded"),
        ("hello/shop", "succeeded"),
        ("hello/b/ank", "to start"),
        ("hello/shop", "to start"),
    ]
    assert plan[3]["output"].endswith("/hello/shop/hello_shop_2.ipynb")


def test_the_example_of_millrun(project: Project) -> None:
    """A folder, a dict of lists, and the files that millrun's own page names."""
    project.write("Notebooks_Dir/special_calculation.ipynb", *SUM, parameters=DECLARED)
    _put(project, "params.json", POINTS)
    words = ("-f", "params.json", "--output-dir", "out", "--prepend", "x_values,y_values,results")
    project.nbbg("run", "Notebooks_Dir", *words, "-j", "3", "--wait")
    names = [f"{x}-{y}-results-special_calculation.ipynb" for x, y in ((0, 45), (1, 32), (2, 60))]
    assert _all(project.root / "out") == names
    assert [_printed(project.root / "out" / name) for name in names] == ["45\n", "33\n", "62\n"]


def test_profiles_of_millrun(project: Project) -> None:
    """Each profile is run, its paths beside its file, with the index before its names."""
    project.write("my/nb/a.ipynb", "print(x)")
    project.write("my/nb/b.ipynb", "1")
    (project.root / "my/profiles.yaml").write_text(
        "one:\n  notebook_dir_or_file: ./nb\n  notebook_params: points.json\n"
        "  output_dir: ./out\n  append: [done]\n  exclude_glob_pattern: b*\n"
        "two:\n  notebook_dir_or_file: nb/a.ipynb\n  notebook_params: [{x: 7}]\n  prepend: [x]\n"
    )
    (project.root / "my/points.json").write_text('{"x": [5, 6]}')
    project.nbbg("run", "-f", "my/profiles.yaml", "-j", "2", "--wait")
    assert _all(project.root / "my/out") == ["0-a-done.ipynb", "1-a-done.ipynb"]
    assert _printed(project.root / "my/nb/7-a.ipynb") == "7\n"
    said = project.nbbg("run", "-f", "my/profiles.yaml", "--output", "x", code=2).stderr
    assert "--output: profiles say that themselves" in said


def test_execute_run(project: Project) -> None:
    """millrun's function by its older names too; failures are raised when the others are done."""
    project.write("calc.ipynb", *SUM, parameters=DECLARED)
    code = f"""
import nbbg
points = {POINTS}
print([p.name for p in nbbg.execute_run("calc.ipynb", points, "out", use_multiprocessing=True)])
older = dict(bulk_params=[dict(x_values=1)], output_prepend_components=["x_values", "z"])
for _ in range(2):
    print(*nbbg.execute_run("calc.ipynb", **older, progress_bar=False))
try:
    nbbg.execute_run("calc.ipynb", [dict(x_values="a"), dict(x_values=2)], "bad", prepend=None)
except nbbg.errors.RunFailed as error:
    print(error)
for wrong in (dict(kernel_name="x"), dict(notebook_params=points), dict(append="x")):
    try:
        nbbg.execute_run("calc.ipynb", **{{**older, **wrong}})
    except nbbg.errors.UsageError as error:
        print(error)
"""
    done = _python(project, code)
    said = done.stdout.splitlines()
    assert said[0] == "['0-calc.ipynb', '1-calc.ipynb', '2-calc.ipynb']", done.stderr
    assert said[1] == said[2] == str(project.root / "1-z-calc.ipynb")
    assert (project.root / "1-z-calc.ipynb.~1~").exists()
    assert "progress_bar: of papermill, and changes nothing here" in done.stderr
    assert said[3] == "1 of 2 runs did not succeed"
    assert "failed, cell 3: TypeError" in said[4]
    assert _all(project.root / "bad") == ["0-calc.ipynb", "1-calc.ipynb"]
    assert "kernel_name: means nothing to nbbg" in said[6]
    assert "bulk_params is the older name of notebook_params" in said[7]
    assert 'append=["x"]' in said[8]
    assert "Traceback" not in done.stderr


def test_run_notebook_as_it_is_called(project: Project) -> None:
    """`run_notebook("performance_report", results=["perf_df"])` gives that variable."""
    project.write("performance_report.ipynb", "perf_df = {'a': [1, 2]}")
    code = "import nbbg\nprint(nbbg.run_notebook('performance_report', results=['perf_df']))"
    assert _python(project, code).stdout == "({'a': [1, 2]},)\n"


# Names, and the plan.


def test_a_grid_and_its_plan(project: Project) -> None:
    """Arms are named by what varies, runs go by number first, and showing that creates nothing."""
    project.write("train.ipynb", "print(lr, depth)", parameters="lr = 1.0\ndepth = 1\nmode = ''")
    words = ("train.ipynb", "-p", "lr=0.1,0.01", "-p", "depth=2,4", "-p", "mode=x", "--product")
    before = _all(project.root)
    plan = _plan(project, *words, "--runs", "2", "--seed", "10")
    assert [(run["arm"], run["number"], run["seed"]) for run in plan] == [
        (f"train/depth={depth},lr={lr}", number, 10 + number)
        for number in (1, 2)
        for lr in (0.1, 0.01)
        for depth in (2, 4)
    ]
    shown = project.nbbg("run", *words, "--dry-run").stdout
    assert "outputs/train/depth=2,lr=0.1/train_depth=2,lr=0.1_1.ipynb" in shown
    assert shown.splitlines()[-1] == "4 arms, 4 runs: 4 to start, 0 done; 1 at a time"
    on_gpus = project.nbbg("run", "train.ipynb", "--gpus", "0,1", "-n").stdout.splitlines()[-1]
    assert on_gpus == "1 arm, 1 run: 1 to start, 0 done; 2 at a time"
    assert _all(project.root) == before
    assert not (project.root / ".nbbg").exists()
    project.nbbg("run", *words, "-j", "4", "--wait")
    assert [run["arm"] for run in project.runs()] == [run["arm"] for run in plan[:4]]


def test_a_name_stays(project: Project) -> None:
    """An arm keeps the name that it was given first, whatever varies in a later launch."""
    project.write("train.ipynb", "1", parameters="lr = 1.0\ndepth = 1")
    both = ("train.ipynb", "-p", "depth=2", "-p")
    project.nbbg("run", *both, "lr=0.1,0.2", "--wait")
    arms = [run["arm"] for run in _plan(project, *both, "lr=0.2,0.3", "--runs", "1")]
    assert arms == ["train/lr=0.2", "train/lr=0.3"]
    assert [run["arm"] for run in _plan(project, *both, "lr=0.2")] == ["train/lr=0.2"]
    named = _plan(project, *both, "lr=5,6", "--name", "wide/{lr}-{arm}")
    assert [run["arm"] for run in named] == ["wide/5-lr=5", "wide/6-lr=6"]


def test_a_sweep_by_its_name(project: Project) -> None:
    """`train` means all arms of a sweep; once there is an arm of that name, `train/` does."""
    project.write("train.ipynb", "1", parameters="lr = 1.0")
    project.nbbg("run", "train.ipynb", "-p", "lr=0.1,0.2", "--runs", "2", "--wait")
    project.nbbg("run", "train.ipynb", "-p", "lr=5", "--name", "trainer", "--wait")
    assert [run["arm"] for run in project.runs("train")] == ["train/lr=0.1", "train/lr=0.2"] * 2
    project.nbbg("run", "train.ipynb", "--wait")
    assert [run["arm"] for run in project.runs("train")] == ["train"]
    assert [run["id"] for run in project.runs("train/")] == [1, 2, 3, 4]
    project.nbbg("show", "trai", code=2)


def test_templates_of_outputs(project: Project) -> None:
    """`--output` knows the run; what is there already is kept beside under a number."""
    project.write("train.ipynb", "1", parameters="lr = 1")
    words = ("train.ipynb", "-p", "lr=2,3", "--output-dir", "out", "--seed", "5")
    project.nbbg("run", *words, "--output", "{lr}/{seed}-{run}", "--wait")
    project.nbbg("run", *words, "--output", "{lr}", "--wait")
    project.nbbg("run", *words, "--output", "{lr}", "--wait")
    there = ["2.ipynb", "2.ipynb.~1~", "2/6-1.ipynb", "3.ipynb", "3.ipynb.~1~", "3/6-2.ipynb"]
    assert _all(project.root / "out") == there
    assert project.run(2)["output"] == str(project.root / "out/3/6-2.ipynb")


def test_the_same_from_python(project: Project) -> None:
    """`nbbg.run` takes folders, shapes, the grid, and where outputs go."""
    project.write("nb/train.ipynb", "1", parameters="lr = 1\ndepth = 1")
    code = """
import nbbg
grid = dict(lr=[0.1, 0.2], depth=[1, 2])
first = nbbg.run("nb", params=grid, jobs=2, prepend=["lr", "x"], output_dir="out")
print([run.arm for run in first.wait().runs])
more = nbbg.run(["nb/*.ipynb"], params=grid, product=True, output="{arm}-{number}", runs=1)
print(len(more.wait().runs), more.name)
try:
    nbbg.run("nb", params={"lr": [1], "depth": [1, 2]})
except nbbg.errors.UsageError as error:
    print(error)
"""
    said = _python(project, code).stdout.splitlines()
    assert said[0] == "['train/depth=1,lr=0.1', 'train/depth=2,lr=0.2']"
    assert said[1] == "4 b2"
    assert "lr has 1, depth has 2" in said[2]
    assert _all(project.root / "out") == ["0.1-x-train.ipynb", "0.2-x-train.ipynb"]
    assert (project.root / "depth=2,lr=0.1-1.ipynb").exists()


# What is refused, before anything is created.

REFUSED: dict[str, tuple[Sequence[str], str]] = {
    "unequal lists": (["-f", "unequal.json"], "unequal.json:1:1: the lists are not equally long"),
    "malformed": (["-f", "torn.json"], "torn.json:2:1: no JSON"),
    "empty": (["-f", "empty.yaml"], "empty.yaml is empty"),
    "mixed": (["-f", "mixed.yaml"], "mixed.yaml:2:3: 3 in a list of sets"),
    "NaN": (["-f", "nan.json"], "nan.json:1:8: JSON has no NaN"),
    "unknown parameter": (["-f", "unknown.yaml"], "rl (known: lr, sizes, tag)"),
    "nothing matches": (["gone/*.ipynb"], "gone/*.ipynb: nothing matches it"),
    "a folder without": (["bare"], "no notebook in bare"),
    "jobs": (["--jobs", "0"], "--jobs"),
    "one file twice": (["--runs", "2", "--output", "x"], "run 1 of train and run 2 of train would"),
    "one name twice": (
        ["-p", "tag=a/b,a_b", "--prepend", "tag"],
        "tag=a/b and run 1 of train/tag=",
    ),
    "over the notebook": (["--output", "train"], "would be written over the notebook train.ipynb"),
    "configurations of no notebook": (["-f", "bare.json"], "give each its `notebook`; else pass"),
    "no list": (["-p", "sizes=1,2"], "a list: -p 'sizes=[1, 2]'"),
    "no folder": (["--output-dir", "train.ipynb/x"], "train.ipynb is no folder"),
    "of GPUs alone": (["--dry-run", "--per-gpu", "2"], "--per-gpu is for runs on GPUs"),
    "an unknown field": (["--output", "{nowhere}"], "there is no {nowhere}; there are: arm, "),
    "an unknown field in a name": (["--name", "{nowhere}"], "there is no {nowhere}"),
    "a name of several": (["-p", "lr=1,2", "--name", "x"], "--name 'base/{arm}'"),
    "both ways": (["--output", "x", "--prepend", "lr"], "leave out --prepend"),
    "a label twice": (["-f", "twice.json"], "run 1 of train/x and run 1 of train.ipynb/x would"),
    "no such configuration": (["other.ipynb", "-f", "own.json"], "no configuration is for it"),
    "too long": (["-p", f"tag={'x' * 200}", "--prepend", "tag,tag,tag"], "it is too long"),
}
FILES = {
    "unequal.json": '{"lr": [1, 2], "tag": ["a"]}',
    "torn.json": '{"lr": 1,\n',
    "empty.yaml": "# nothing\n",
    "mixed.yaml": "- lr: 1\n- 3\n",
    "nan.json": '{"lr": NaN}',
    "unknown.yaml": "rl: [1, 2]\n",
    "own.json": '{"a": {"notebook": "train.ipynb"}}',
    "bare.json": '{"small": {"rows": 1}, "big": {"rows": 2}}',
    "twice.json": '{"a": {"output_label": "x", "lr": 1}, "b": {"output_label": "x", "lr": 2}}',
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(project: Project, case: str) -> None:
    """Each in one or two lines, with exit code 2, and with nothing created."""
    for name in ("train.ipynb", "other.ipynb"):
        text = json.dumps(notebook("1", parameters="lr = 1\ntag = ''\nsizes = [1]"))
        (project.root / name).write_text(text)
    (project.root / "bare").mkdir()
    for name, text in FILES.items():
        (project.root / name).write_text(text)
    words, said = REFUSED[case]
    names_one = words[0] in {"gone/*.ipynb", "bare", "other.ipynb"}
    before = _all(project.root)
    done = project.nbbg("run", *([] if names_one else ["train.ipynb"]), *words, code=2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert done.stdout == ""
    assert _all(project.root) == before
    assert not (project.root / ".nbbg").exists()


def test_a_pair_that_differs_is_refused(project: Project) -> None:
    """A pair that was edited on one side is not run until it is in step again."""
    project.write("train.ipynb", "print(1)")
    project.nbbg("pair", "train.ipynb")
    script = project.root / "train.py"
    script.write_text(script.read_text().replace("print(1)", "print(2)"))
    for name in ("train.ipynb", "train.py", "."):
        said = project.nbbg("run", name, code=2).stderr
        assert (
            "train.ipynb and train.py are a pair, and their code differs\nnbbg sync train." in said
        )
    project.nbbg("sync", "train.ipynb")
    project.nbbg("run", "train.*", "--wait")
    assert [run["notebook"] for run in project.runs()] == ["train.ipynb"]
    assert project.log(1) == "2\n"
