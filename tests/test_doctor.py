"""`nbbg doctor`: each check is shown the real condition, or the files that a machine would have."""

from __future__ import annotations

import getpass
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import paths
from nbbg.ops import doctor
from nbbg.ops.doctor import Patient
from nbbg.ops.project import to_read
from tests.project import LONG, PYTHON, Project

if TYPE_CHECKING:
    from nbbg.ops.doctor import Finding

needs_unshare = pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What `nbbg doctor --json` says, by check; of several the first."""
    found: dict[str, Any] = {}
    for each in json.loads(done.stdout)["checks"]:
        found.setdefault(each["check"], each)
    return found


def ask(project: Project, *names: str | Path, code: int | None = 0) -> dict[str, Any]:
    """The findings in a project."""
    return findings(project.nbbg("doctor", "--json", *names, code=code))


def ask_within(project: Project, *argv: str) -> dict[str, Any]:
    """The findings of a doctor that is started by another program."""
    done = subprocess.run(
        [*argv, PYTHON, "-P", "-m", "nbbg", "doctor", "--json"],
        cwd=project.root,
        env=project.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return findings(done)


def on_a_machine(root: Path, check: str, files: dict[str, str], store: Path) -> Finding:
    """What one check finds on a machine with these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    project = to_read(store)
    (found,) = doctor.examine(Patient(project.root, project, machine=root), [check])
    return found


def namespaces(*more: str) -> list[str]:
    """A program in namespaces of its own, for root and for others."""
    return ["unshare", *more, *([] if os.geteuid() == 0 else ["--map-root-user"])]


def test_what_a_person_sees(project: Project) -> None:
    """A line a check, the worst last, each problem with what mends it; exit 1, and 0 without."""
    project.environment["NBBG_PYTHON"] = "/nowhere/python"
    lines = project.nbbg("doctor", code=1).stdout.splitlines()
    assert lines[0].startswith("ok ")
    assert lines[-3].startswith("problem  interpreter")
    assert "/nowhere/python" in lines[-3]
    assert "name on PATH" in lines[-2]
    assert "1 problem" in lines[-1]
    assert set(doctor.CHECKS) >= {line[9:22].strip() for line in lines[:-1] if line[0] != " "}
    project.environment["NBBG_PYTHON"] = PYTHON
    project.nbbg("doctor")


def test_it_changes_nothing(project: Project) -> None:
    """A folder in which nothing was launched is as it was."""
    before = sorted(project.root.rglob("*"))
    project.nbbg("doctor")
    assert sorted(project.root.rglob("*")) == before


def test_an_interpreter_without_ipython(project: Project, tmp_path: Path) -> None:
    """It is a problem, of the project and of a notebook, with the line that installs it."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True, timeout=60)
    project.environment["NBBG_PYTHON"] = str(bare)
    path = project.write("a.ipynb", "1")
    for names in ([], [path]):
        found = ask(project, *names, code=1)["interpreter"]
        assert "has no IPython" in found["what"]
        assert "ipython" in found["mend"]


def test_a_kernel_whose_program_is_gone(project: Project) -> None:
    """It is a problem when a notebook of the project names that kernel, and else none."""
    folder = project.home / ".local/share/jupyter/kernels/old"
    folder.mkdir(parents=True)
    spec = {"argv": ["/gone/python", "-m", "ipykernel"], "display_name": "o", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    assert ask(project)["kernels"]["level"] == "ok"
    path = project.write("deep/a.ipynb", "1")
    path.write_text(path.read_text().replace('"python3"', '"old"'))
    found = ask(project, code=1)["kernels"]
    assert "/gone/python" in found["what"]
    assert "jupyter kernelspec remove old" in found["mend"]
    path.write_text(path.read_text().replace('"old"', '"nobodys"'))
    assert "there is no kernel 'nobodys'" in ask(project)["kernels"]["what"]


@pytest.mark.parametrize(
    ("limit", "soft", "level"),
    [
        (resource.RLIMIT_NOFILE, 100, "problem"),
        (resource.RLIMIT_NOFILE, 500, "warning"),
        (resource.RLIMIT_FSIZE, 10**6, "problem"),
        (resource.RLIMIT_CPU, 3600, "problem"),
        (resource.RLIMIT_AS, 4 * 2**30, "warning"),
    ],
)
def test_low_limits(limit: int, soft: int, level: str) -> None:
    """A low ulimit is told, with what raises it."""
    before = resource.getrlimit(limit)
    core = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(limit, (soft, before[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, core[1]))
    try:
        (found,) = doctor.examine(Patient(Path("/"), None), ["limits"])
    finally:
        resource.setrlimit(limit, before)
        resource.setrlimit(resource.RLIMIT_CORE, core)
    assert found.level == level
    assert str(soft) in found.what
    assert found.mend


@needs_unshare
def test_a_full_disk_and_one_without_inodes(project: Project) -> None:
    """On a tmpfs of 20 MB with room for 100 files both are problems; it is in memory, too."""
    script = f'mount -t tmpfs -o size=20m,nr_inodes=100 tmpfs {project.root} && cd . && exec "$@"'
    where = project.root
    found = ask_within(
        project,
        *namespaces("--mount"),
        "sh",
        "-c",
        f"{script.replace('cd .', f'cd {where}')}",
        "sh",
    )
    assert found["disk"]["level"] == found["files"]["level"] == "problem"
    assert "in memory" in found["temporary"]["what"]


@needs_unshare
def test_a_container_whose_pid_1_is_no_init(project: Project) -> None:
    """Its end is the end of all runs."""
    argv = namespaces("--pid", "--fork", "--mount-proc")
    found = ask_within(project, *argv, "sh", "-c", '"$@"; exit $?', "sh")["init"]
    assert found["level"] == "warning"
    assert "pid 1 is sh" in found["what"]


SYSTEMD = {"run/systemd/system/x": ""}
SESSION = {**SYSTEMD, "proc/self/cgroup": "0::/user.slice/user-0.slice/session-3.scope\n"}
MANAGER = {**SYSTEMD, "proc/self/cgroup": "0::/user.slice/user-0.slice/user@0.service/a.scope\n"}
KILLS = {
    "etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=no\nKillExcludeUsers=nobody\n",
    "etc/systemd/logind.conf.d/kill.conf": "[Login]\nKillUserProcesses = yes\n",
}


@pytest.mark.parametrize(
    ("files", "lingers", "level"),
    [
        (KILLS, False, "ok"),  # no systemd
        (SESSION, False, "ok"),
        ({**SESSION, **KILLS}, False, "problem"),
        ({**SESSION, **KILLS}, True, "problem"),  # lingering does not keep a session's processes
        ({**MANAGER, **KILLS}, True, "ok"),
        ({**MANAGER, **KILLS}, False, "problem"),
        ({**SESSION, **KILLS, "etc/systemd/logind.conf": "KillExcludeUsers=me"}, False, "ok"),
    ],
)
def test_what_logging_out_ends(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    *,
    lingers: bool,
    level: str,
) -> None:
    """Only KillUserProcesses does, and not what the user manager keeps for one who lingers."""
    monkeypatch.setenv("LOGNAME", "me")
    linger = {"var/lib/systemd/linger/me": ""} if lingers else {}
    found = on_a_machine(tmp_path, "logout", {**files, **linger}, tmp_path)
    assert found.level == level
    assert bool(found.mend) == (level == "problem")


@pytest.mark.parametrize("age", ["10d", "-"])
def test_a_folder_that_systemd_empties(tmp_path: Path, age: str) -> None:
    """Records under a path with an age in tmpfiles.d are told, with the line that keeps them."""
    line = f"q {tmp_path} 1777 root root {age}\n"
    files = {**SYSTEMD, "usr/lib/tmpfiles.d/tmp.conf": f"# it\n{line}"}
    found = on_a_machine(tmp_path / "m", "temporary", files, tmp_path)
    assert (found.level == "problem") == (age == "10d")
    if age == "10d":
        assert f"x {tmp_path}" in found.mend


def test_memory_that_a_cgroup_limits(tmp_path: Path) -> None:
    """The tightest of the cgroups above counts; nearly full is a warning."""
    files = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/memory.max": f"{2**30}\n",
        "sys/fs/cgroup/a/memory.current": f"{2**29}\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/b/memory.current": "1\n",
    }
    found = on_a_machine(tmp_path, "memory", files, tmp_path)
    assert (found.level, found.what) == ("ok", "0.5 of 1.0 GiB are used in the cgroup /a")
    full = {**files, "sys/fs/cgroup/a/memory.current": f"{2**30 - 1}\n"}
    assert on_a_machine(tmp_path, "memory", full, tmp_path).level == "warning"


def test_a_driver_without_its_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that is loaded, without nvidia-smi in PATH, is told."""
    monkeypatch.setenv("PATH", "/nowhere")
    files = {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 550.1\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    found = list(doctor.examine(Patient(tmp_path, None, machine=tmp_path), ["gpu"]))
    assert "nvidia-smi" in found[0].what
    assert len(found) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder away")
def test_a_store_that_is_a_stranger_s(project: Project) -> None:
    """It is a problem, and the other checks are made all the same."""
    project.write("a.ipynb", "1")
    project.nbbg("run", "a.ipynb", "--wait")
    os.chown(project.root / ".nbbg", 12345, -1)
    found = ask(project, code=1)
    assert "belongs to another user" in found["store"]["what"]
    assert "interpreter" not in found  # which would say the same
    assert found["disk"]["level"] == "ok"


def test_the_records_of_a_project(project: Project) -> None:
    """A supervisor that is gone, a record that is no record, and a reboot that nobody waits for."""
    project.write("a.ipynb", LONG)
    project.nbbg("run", "a.ipynb", "--runs", "2")
    project.until_running(1)
    found = ask(project)
    assert found["supervisors"]["level"] == found["records"]["level"] == "ok"
    assert found["at boot"]["mend"] == "nbbg resume --at-boot"
    assert found["index"]["what"].endswith("index.db")
    project.end_all()
    assert ask(project)["supervisors"]["mend"] == "nbbg resume b1"
    (project.batch("b1") / paths.BATCH).write_text("{")
    assert "batch.json" in ask(project, code=1)["records"]["what"]


def test_what_is_set_up_and_would_not_start(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit without systemd, or without lingering, is no assurance, and the line that mends it."""
    project.write("a.ipynb", "1")
    project.nbbg("run", "a.ipynb", "--wait")
    project.environment["PATH"] = "/nowhere"  # without loginctl and crontab: no change out there
    project.nbbg("resume", "--at-boot", "systemd", code=None)
    for name, value in project.environ().items():
        monkeypatch.setenv(name, value)
    machine, linger = tmp_path / "machine", f"var/lib/systemd/linger/{getpass.getuser()}"
    for files, level, mend in (
        ({}, "warning", "nbbg resume --at-boot cron"),
        (SYSTEMD, "warning", f"sudo loginctl enable-linger {getpass.getuser()}"),
        ({linger: ""}, "ok", ""),
    ):
        found = on_a_machine(machine, "at boot", files, project.root)
        assert (found.level, found.mend) == (level, mend), found


def test_a_read_only_disk_and_a_notebook_that_is_not_there(project: Project) -> None:
    """No chmod is offered where it can't help, and what is wrong is said in words, once."""
    project.write("a.ipynb", "1")
    project.nbbg("run", "a.ipynb", "--wait")
    root = project.root
    script = f"mount --bind {root} {root} && mount -o remount,ro,bind {root}"
    argv = [*namespaces("--mount"), "sh", "-c", f'{script} && cd {root} && exec "$@"', "sh"]
    found = ask_within(project, *argv)
    assert found["store"]["level"] == "problem"
    assert "chmod" not in found["store"]["mend"] + found["index"]["mend"]
    assert found["locks"]["what"] == "could not be looked at: Read-only file system"
    missing = ask(project, "missing.py", code=1)["interpreter"]["what"]
    assert missing == "missing.py: no such file"


def test_it_is_quick(project: Project) -> None:
    """It takes little processor time: less than a second of it on a slow machine."""
    ask(project)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ask(project)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
