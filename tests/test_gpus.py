"""GPUs: which of them a run gets, as NVML tells; `nvml/fake.c` stands in for its library."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import records, sharing
from tests.project import Project, until

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB = 1 << 30
ALLOCATE = """
with open(os.environ["FAKE_NVML"], "a") as file:
    file.write(f"use {os.environ['CUDA_VISIBLE_DEVICES']} {os.getpid()} {SIZE}\\n")
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.05)
"""


@dataclass
class Driver:
    """NVIDIA's driver, as far as NVML tells: GPUs of these sizes, what processes use of them."""

    file: Path
    project: Project

    def has(self, *sizes: int) -> None:
        """These are the GPUs of the machine, in bytes."""
        lines = [f"gpu GPU-{name} {size}\n" for name, size in zip("abcdefgh", sizes, strict=False)]
        self.file.write_text("".join(lines))

    def uses(self, index: int, pid: int, size: int) -> None:
        """That process uses so many bytes."""
        with self.file.open("a") as file:
            file.write(f"use {index} {pid} {size}\n")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library that nvidia-ml-py loads."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).parent / "nvml/fake.c"
    target = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", target, source], check=True)
    return folder


@pytest.fixture
def driver(project: Project, library: Path, tmp_path: Path) -> Driver:
    """A machine with GPUs."""
    made = Driver(tmp_path / "driver", project)
    stamps = sharing.environment(tmp_path / "stamps")
    project.environment |= {**stamps, "LD_LIBRARY_PATH": str(library), "FAKE_NVML": str(made.file)}
    project.write("train.ipynb", *sharing.cells("time.sleep(0.1)"))
    return made


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[str]]:
    """A process that is no run's."""
    child = records.start("print('ready', flush=True); input()")
    yield child
    records.end(child)


def test_all_of_them_are_used(driver: Driver, project: Project, tmp_path: Path) -> None:
    """As many runs at once as there are slots; what a run saw is what is recorded of it."""
    driver.has(GIB, GIB)
    project.write("train.ipynb", *sharing.cells(sharing.meet(4)))
    said = project.nbbg("run", "train.ipynb", "--runs", "4", "--gpus", "all").stdout
    assert "2 at a time on GPU 0, 1" in said
    project.nbbg("wait", "b1")
    lines = sharing.begun(tmp_path / "stamps")
    assert {line["run"]: line["gpu"] for line in lines} == {
        run["id"]: run["gpu"] for run in project.runs()
    }
    assert {line["gpu"] for line in lines} == {"0", "1"}
    assert {line["order"] for line in lines} == {"PCI_BUS_ID"}
    assert sharing.most(tmp_path / "stamps") == {None: 2, "0": 1, "1": 1}
    gpu = project.run(1)["gpu"]
    assert f"\ngpu        {gpu}\n" in project.nbbg("show", "1").stdout


def test_a_number_and_a_uuid_mean_the_same_gpu(driver: Driver, project: Project) -> None:
    """Two batches that name it differently share its slots; the name typed is what a run sees."""
    driver.has(GIB, GIB)
    project.environment["CUDA_DEVICE_ORDER"] = "FASTEST_FIRST"
    project.environment["GO"] = str(project.root / "go")
    project.write("long.ipynb", sharing.HEAD, 'stamp("begin")', ALLOCATE.replace("{SIZE}", "1"))
    project.nbbg("run", "long.ipynb", "--gpus", "1")
    project.until_running(1)
    project.nbbg("run", "train.ipynb", "--gpus", "GPU-b")
    until(lambda: project.run(2)["reason"] == "waiting for a slot of GPU GPU-b")
    (project.root / "go").touch()
    project.nbbg("wait", "1", "2")
    lines = sharing.begun(Path(project.environment["STAMPS"]))
    assert [line["gpu"] for line in lines] == ["1", "GPU-b"]
    assert [line["order"] for line in lines] == ["FASTEST_FIRST"] * 2
    assert [run["gpu"] for run in project.runs()] == ["1", "GPU-b"]


@pytest.mark.parametrize(
    ("arguments", "visible", "message"),
    [
        (["--gpus", "2"], None, "--gpus 2: no such GPU; there are: 0, 1\nsee: nvidia-smi -L"),
        (["--gpus", "GPU-x"], None, "--gpus GPU-x: no such GPU"),
        (["--gpus", "0,GPU-a"], None, "--gpus names a GPU twice"),
        (["--gpus", "all"], "-1", "CUDA_VISIBLE_DEVICES=-1 hides every GPU"),
        (["--gpus", "all"], "0,7", "--gpus 7: no such GPU"),
        (["--gpu-free", "1GiB"], None, "--gpu-free is for runs on GPUs"),
    ],
)
def test_what_is_not_there_is_refused(
    driver: Driver, project: Project, arguments: list[str], visible: str | None, message: str
) -> None:
    """Before anything is created, with what to type."""
    driver.has(GIB, GIB)
    if visible:
        project.environment["CUDA_VISIBLE_DEVICES"] = visible
    refused = project.nbbg("run", "train.ipynb", *arguments, code=2)
    assert message in refused.stderr
    assert not (project.root / ".nbbg").exists()


def test_all_means_those_that_are_visible(driver: Driver, project: Project) -> None:
    """What the user or Slurm has chosen restricts it."""
    driver.has(GIB, GIB, GIB)
    project.environment["CUDA_VISIBLE_DEVICES"] = "2, 1,-1,0"
    said = project.nbbg("settings", "--gpus", "all")
    assert "all" in said.stdout
    said = project.nbbg("run", "train.ipynb", "--gpus", "all", "--per-gpu", "3", "--wait")
    assert "6 at a time on GPU 2, 1, local" in said.stdout


def test_memory_is_counted_before_it_is_used(
    driver: Driver, project: Project, stranger: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Runs that start together share a GPU as its memory allows; a stranger's GPU is left alone."""
    driver.has(10 * GIB, 10 * GIB)
    driver.uses(1, stranger.pid, GIB)
    stamps, project.environment["GO"] = tmp_path / "stamps", str(tmp_path / "go")
    project.write("train.ipynb", *sharing.cells(ALLOCATE.replace("{SIZE}", str(4 * GIB))))
    limits = ["--gpus", "0,1", "--per-gpu", "4", "--gpu-free", "4GiB"]
    project.nbbg("run", "train.ipynb", "--runs", "6", *limits)
    reason = "waiting for a slot of GPU 0, 1 with 4 GiB free"
    until(lambda: [run["reason"] for run in project.runs()] == ["", "", reason, "", "", ""])
    time.sleep(0.7)
    states = [run["state"] for run in project.runs()]
    assert states == [*["running"] * 2, "submitted", *["queued"] * 3]
    assert [line["gpu"] for line in sharing.begun(stamps)] == ["0", "0"]
    stranger.kill()
    until(lambda: [line["gpu"] for line in sharing.begun(stamps)] == ["0", "0", "1", "1"])
    (tmp_path / "go").touch()
    project.nbbg("wait", "b1")
    most = sharing.most(stamps)
    assert most[None] <= 4
    assert max(most["0"], most["1"]) <= 2


def test_without_the_library_it_says_what_to_install(project: Project) -> None:
    """What needs NVML is refused; GPUs that are named are believed, and that is said."""
    project.write("train.ipynb", "import os\nprint(os.environ['CUDA_VISIBLE_DEVICES'])")
    broken = project.root / "broken"
    broken.mkdir()
    (broken / "pynvml.py").write_text("raise ImportError")
    project.environment["PYTHONPATH"] = str(broken)
    for arguments in (["--gpus", "all"], ["--gpus", "0", "--gpu-free", "1GB"]):
        refused = project.nbbg("run", "train.ipynb", *arguments, code=2).stderr
        assert "no nvidia-ml-py" in refused
        assert "pip install 'nbbg[gpu]'" in refused
    said = project.nbbg("run", "train.ipynb", "--gpus", "7", "--wait")
    assert "whether there is GPU 7 was not looked up" in said.stderr
    assert project.log(1) == "7\n"
