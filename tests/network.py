"""A real network file system for tests: SSH's file transfer over a socket, mounted by sshfs.

And another machine that sees it too: namespaces with a host name and a boot of their own.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import records
from tests.project import PYTHON, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.project import Project

SERVER = "/usr/lib/openssh/sftp-server"
needs_sshfs = pytest.mark.skipif(
    not (shutil.which("sshfs") and os.path.exists(SERVER) and os.path.exists("/dev/fuse")),
    reason="needs sshfs and /dev/fuse",
)


@contextlib.contextmanager
def mounted(source: Path, target: Path) -> Iterator[Path]:
    """That folder, seen over a network file system at another place."""
    target.mkdir()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = subprocess.Popen([SERVER], stdin=theirs.fileno(), stdout=theirs.fileno())
        argv = ["sshfs", "-f", "-o", "passive,dir_cache=no", f":{source}", str(target)]
        client = subprocess.Popen(argv, stdin=ours.fileno(), stdout=ours.fileno())
    try:
        until(lambda: os.path.ismount(target))
        yield target
    finally:
        subprocess.run(["umount", "--lazy", target], check=False, timeout=20)
        for child in (client, server):
            child.kill()
            child.wait()


def on_another_machine(project: Project, *arguments: str, name: str = "another") -> str:
    """What `nbbg` says where the boot is another, and the machine has that name."""
    boot = project.home / "boot_id"
    boot.write_text(f"{records.EARLIER_BOOT}\n")
    script = (
        f"hostname {shlex.quote(name)} && mount --bind {boot} /proc/sys/kernel/random/boot_id"
        ' && exec "$@"'
    )
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        [
            *("unshare", "--uts", "--mount", *root, "sh", "-c", script, "sh"),
            *(PYTHON, "-P", "-m", "nbbg", *arguments),
        ],
        cwd=project.root,
        env=project.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
