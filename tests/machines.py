"""Machines for tests: a real sshd each, on this machine, with a home of its own, behind a relay.

The relay is the link: it can be cut at any instant. What a login there finds is made narrow by the
forced command: HOME, and programs by their names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.project import PYTHON, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.project import Project

_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized
PidFile {folder}/sshd.pid
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
ForceCommand {folder}/login
"""
_LOGIN = """\
#!/bin/sh
umask 000
export HOME={home}
export PATH={path}
unset NBBG_PYTHON XDG_CACHE_HOME XDG_STATE_HOME
cd "$HOME"
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""
_CLIENT = """\
Host {name}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {key}
    IdentitiesOnly yes
    KexAlgorithms curve25519-sha256
    UserKnownHostsFile {known}
    HostKeyAlias {name}
"""
_SHARED = """\
    ControlMaster auto
    ControlPath {top}/%n
    ControlPersist 60
"""
FOLDER = "work/proj"  # of a project, in a home there


class Link:
    """A relay in front of a port: connections go through it until they are cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self.passed = 0  # bytes
        self._threads[0].start()

    def cut(self) -> None:
        """Break what goes through it now."""
        for each in [*self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listening.close()
        self.cut()
        for each in self._threads[1:]:
            each.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._connect, args=(near,)))
                self._threads[-1].start()

    def _connect(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), self._far() as far:
            self._open |= {near, far}
            back = threading.Thread(target=self._pass_on, args=(far, near))
            back.start()
            self._pass_on(near, far)
            back.join()
            self._open -= {near, far}

    def _far(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._target))

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.passed += len(data)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@dataclass
class Machine:
    """One sshd."""

    name: str
    folder: Path
    home: Path
    programs: Sequence[str] = ()  # what is on its PATH; empty: all
    port: int = 0
    daemon: subprocess.Popen[bytes] | None = None
    link: Link = field(init=False)

    def start(self) -> None:
        """Start its sshd, and wait until it answers."""
        self.daemon = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._answers)

    def kill(self) -> None:
        """End its sshd; what it has started lives on, but for the links."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(10)
        self.link.cut()

    def prepare(self) -> None:
        """Its keys and configuration."""
        self.home.mkdir(parents=True)
        self.folder.mkdir()
        self.new_host_key()
        self.port = _free_port()
        (self.folder / "sshd_config").write_text(_SSHD.format(port=self.port, folder=self.folder))
        self.lock_down(self.programs)
        self.link = Link(self.port)

    def lock_down(self, programs: Sequence[str]) -> None:
        """Have only these programs on its PATH; none: all."""
        path = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"
        if programs:
            narrow = self.folder / "bin"
            shutil.rmtree(narrow, ignore_errors=True)
            narrow.mkdir()
            for name in programs:
                (narrow / name).symlink_to(shutil.which(name) or "/missing")
            path = str(narrow)
        login = self.folder / "login"
        login.write_text(_LOGIN.format(home=self.home, path=path))
        login.chmod(0o755)

    def new_host_key(self) -> None:
        """Another key, as a machine has that was set up anew."""
        (self.folder / "host_key").unlink(missing_ok=True)
        _keygen(self.folder / "host_key")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextlib.contextmanager
def machines(project: Project, *names: str, shared: bool = False) -> Iterator[dict[str, Machine]]:
    """Machines that the project's ssh knows by their names, for as long as a test.

    With `shared` one connection to each is kept, as many people have it.
    """
    if not Path("/usr/sbin/sshd").exists() or shutil.which("rsync") is None:
        pytest.skip("there is no sshd or no rsync: scripts/setup-system")
    top = Path(tempfile.mkdtemp(prefix="nbbg-ssh"))
    made = {name: Machine(name, top / name, top / "homes" / name) for name in names}
    try:
        _keygen(top / "key")
        bin_ = top / "bin"
        bin_.mkdir()
        (bin_ / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {top}/config "$@"\n')
        (bin_ / "ssh").chmod(0o755)
        project.environment["PATH"] = f"{bin_}:{os.environ['PATH']}"
        project.environment["NBBG_ASK_EVERY"] = "0.3"
        texts, known = [], []
        for machine in made.values():
            machine.prepare()
            shutil.copy(top / "key.pub", machine.folder / "authorized")
            machine.start()
            key = (machine.folder / "host_key.pub").read_text()
            known.append(f"{machine.name} {key}")
            texts.append(
                _CLIENT.format(
                    name=machine.name,
                    port=machine.link.port,
                    user=Path.home().owner(),
                    key=top / "key",
                    known=top / "known",
                )
                + (_SHARED.format(top=top) if shared else "")
            )
        (top / "config").write_text("".join(texts))
        (top / "known").write_text("".join(known))
        yield made
    finally:
        project.end_all()
        for machine in made.values():
            if machine.daemon is not None:
                machine.kill()
                machine.link.close()
        end_all(top)
        shutil.rmtree(top)


def add(project: Project, *names: str) -> None:
    """Have the project know them; they use this very nbbg."""
    for name in names:
        project.nbbg("host", "add", name, f"{name}:{FOLDER}", "--nbbg", PYTHON, "--python", PYTHON)


def end_all(top: Path) -> None:
    """End every process that works for a folder."""
    from tests.project import Project as Members

    Members(top, top).end_all()


def _keygen(path: Path) -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
    return port
