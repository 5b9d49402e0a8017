"""A real Slurm of one node on this machine: its daemons, in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg.executors.slurm import commands
from tests.project import alive, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.project import Project

_CONF = """\
ClusterName=nbbg
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ctld}
SlurmdPort={slurmd}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
KillWait=30
MinJobAge=2
JobRequeue=1
MaxArraySize=200000
MaxJobCount=200000
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=localhost NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE OverTimeLimit=0 State=UP
PartitionName=other Nodes=ALL MaxTime=INFINITE State=UP
"""
PROGRAMS = ("sbatch", "slurmctld", "slurmd", "munged")


@dataclass
class Cluster:
    """Its daemons can be killed and started again."""

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What its commands need."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def __call__(self, *words: str) -> str:
        """The output of one of its commands."""
        done = subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return done.stdout

    def start(self, name: str) -> None:
        """Start one daemon, and wait until it answers."""
        words = {
            "munged": (
                *("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket"),
                *(f"--{kind}-file={self.folder}/munge.{kind}" for kind in ("key", "pid", "log")),
                f"--seed-file={self.folder}/munge.seed",
            ),
            "slurmctld": ("slurmctld", "-D"),
            "slurmd": ("slurmd", "-D", "-N", "localhost"),
        }[name]
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                words,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        if name == "munged":
            until((self.folder / "munge.socket").exists)
        else:
            until(self.answers if name == "slurmctld" else self.is_idle)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End one daemon."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(number)
        daemon.wait(10)

    @contextlib.contextmanager
    def login(self, project: Project) -> Iterator[None]:
        """Have a project on its login node; its jobs end with the test."""
        project.environment |= {**self.environment, "NBBG_ASK_EVERY": "0.3"}
        try:
            yield
        finally:
            self("scancel", "--user", str(os.geteuid()))
            project.end_all()
            until(lambda: not self.jobs())

    def lines(self) -> list[commands.Line]:
        """What it has of this user's, as nbbg reads it."""
        said = self("squeue", "-h", "--user", str(os.geteuid()), "-o", "%F|%K|%T|%r|%j")
        return [commands.Line(*line.split("|")) for line in said.splitlines()]

    def jobs(self) -> list[str]:
        """The jobs that wait or run."""
        return [line.job for line in self.lines()]

    def until_saved(self) -> None:
        """Wait until the controller has written down what it knows, as it does every 5 s."""
        path, now = self.folder / "state" / "job_state", time.time()
        until(lambda: path.exists() and path.stat().st_mtime > now)

    def answers(self) -> bool:
        """Whether the controller can be asked."""
        with contextlib.suppress(subprocess.SubprocessError):
            return "UP" in self("scontrol", "ping")
        return False

    def is_idle(self) -> bool:
        """Whether the node takes work."""
        with contextlib.suppress(subprocess.SubprocessError):
            return self("sinfo", "-h", "-p", "p", "-o", "%T").strip() in (
                "idle",
                "mixed",
                "allocated",
            )
        return False

    def end(self) -> None:
        """End the jobs, and all daemons by their pids."""
        with contextlib.suppress(subprocess.SubprocessError):
            self("scancel", "--full", "--signal=KILL", "--user", str(os.getuid()))
            self("scancel", "--user", str(os.getuid()))
        steps = [int(pid) for pid in _children(self.folder)]
        for name in ("slurmd", "slurmctld", "munged"):
            if name in self.daemons:
                self.kill(name)
        for pid in steps:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: not alive(pid))  # type: ignore[misc]


def _children(folder: Path) -> Iterator[str]:
    """The steps' managers, which outlive slurmd."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                environ = (entry / "environ").read_bytes()
                if f"SLURM_CONF={folder}/slurm.conf".encode() in environ:
                    yield entry.name


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
    return port


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster that takes work, for as long as a test."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if not all(map(shutil.which, PROGRAMS)):
        pytest.skip("there is no Slurm: scripts/setup-system")
    folder = Path(tempfile.mkdtemp(prefix="slurm"))  # a socket's path must be short
    made = Cluster(folder)
    try:
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        (folder / "slurm.conf").write_text(
            _CONF.format(
                user=Path.home().owner(), folder=folder, ctld=_free_port(), slurmd=_free_port()
            )
        )
        for name in ("munged", "slurmctld", "slurmd"):
            made.start(name)
        yield made
    finally:
        made.end()
        shutil.rmtree(folder)
