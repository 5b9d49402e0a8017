"""The template of a batch: a process that has imported what its runs import, and is forked.

It is started in the interpreter of the runs and told by its batch's supervisor, through a socket
that is its standard input, what to do. For each run it forks the runner, which forks the engine: so
the parent of an engine is always its runner, as without a template. What is to be imported, a fork
imports, which then serves in its parent's place; where an import does what it may not, that fork is
thrown away, and the parent goes on without the module. Nothing but imports is done here, for a
process that has computed may have locks and pools that no fork survives.

Messages are JSON, one a packet. From the supervisor: `{package, cwd, path, names, left_out}` first;
then `{fork: ATTEMPT, id}` and `{names: [MODULE, ...]}`. From here: `{loaded, left_out}`; `{id, pid,
start_time}`; `{id, cold: WHY}`; `{lost}`; `{never: WHY}`. The template ends when its supervisor's
end of the socket is closed. It holds no lock, and no file of an attempt.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import platform
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any, Mapping, NoReturn, Sequence

from nbbg import paths
from nbbg.engines.ipython import becoming, leaving, trying  # noqa: F401 - forks need all
from nbbg.engines.ipython.program import CannotStartError, Ready, refuse_questions
from nbbg.inside.recorder import unconnected

if TYPE_CHECKING:
    from types import ModuleType

    Json = dict[str, Any]

OLDEST = (3, 11)  # for the runner, which is not a guest
PATIENCE = 5.0  # seconds for a fork to say that it lives
RUNNER = "nbbg.runner.forked"
_PACKET = 1 << 20
_LEFT_OUT = 20  # modules; if so many do what they may not, no more is imported
_RECHECK = 1.0  # seconds between two looks at all files that were imported


class EngineError(BaseException):
    """Not an error: a fork leaves its runner's frames, to be an engine."""

    def __init__(self, attempt: str, environment: Mapping[str, str], argv: Sequence[str]) -> None:
        super().__init__(attempt)
        self.attempt, self.environment, self.argv = attempt, environment, argv


def serve(guest: str) -> tuple[Ready, str]:
    """Serve; returns in each engine alone, with the folder of its attempt."""
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    why = _unfit()
    if why:
        _send(control, never=why)
        os._exit(0)
    gc.disable()
    order = _receive(control)
    template = _Template(guest, control, order)
    try:
        template.serve()
    except EngineError as error:
        told = error
        told.__traceback__ = None
    template.become(told)
    return template.ready, told.attempt


def _unfit() -> str:
    """Why no run can be forked here; empty: it can."""
    if sys.platform != "linux" or platform.python_implementation() != "CPython":
        return "warm starts need CPython on Linux"
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        return f"its interpreter is Python {found}, and warm starts need 3.11"
    if "PYTHONHASHSEED" not in os.environ or os.environ["PYTHONHASHSEED"] == "random":
        return "PYTHONHASHSEED is random: each run shall have its own"
    return ""


class _Template:
    """One process that serves, or whose fork does."""

    def __init__(self, guest: str, control: socket.socket, order: Json) -> None:
        self.guest, self.control = guest, control
        self.parent: socket.socket | None = None
        self.child: socket.socket | None = None  # the fork that imports, or serves
        self.child_pid = 0
        self.child_serves = False
        self.trying = ""  # the module that the fork imports
        self.loaded: list[str] = []
        self.left_out: dict[str, str] = dict(order["left_out"])
        self.runners: dict[int, int] = {}  # descriptor that tells of its end -> pid
        self.go = -1  # in a fork: where to say that it lives
        self._checked = 0.0
        self.cwd = order["cwd"]
        self.environment = dict(os.environ)
        self.kept: tuple[int, ...] = ()  # in an engine: the files that it was handed
        sys.argv = [order["path"]]
        refuse_questions()
        self.ready = Ready(guest, unconnected())
        try:
            self.ready.shell()
        except CannotStartError as error:
            _send(control, never=str(error))
            os._exit(0)
        self.of_guest = _taken_out()
        self.program = _load(order["package"])
        self.of_runner = _taken_out()
        sys.modules.update(self.of_guest)
        self.stamps = _stamps(self.of_runner.values())
        self.names: list[str] = []
        self.grow(order["names"])

    def serve(self) -> NoReturn:
        """Do what is asked, until the supervisor is gone."""
        while True:
            poll = select.poll()
            for fd in self._watched():
                poll.register(fd, select.POLLIN)
            fd, _ = poll.poll()[0]  # one alone: what follows may be the fork's
            if fd in self.runners:
                os.waitpid(self.runners.pop(fd), 0)
                os.close(fd)
            elif self.child and fd == self.child.fileno():
                self._hear_child()
            elif self.parent and fd == self.parent.fileno():
                os._exit(0)  # the parent says nothing: it is gone
            else:
                self._obey(_receive(self.control, self._end))

    def _watched(self) -> list[int]:
        ends = [each.fileno() for each in (self.child, self.parent) if each]
        return [*self.runners, *ends, *([] if self.child_serves else [self.control.fileno()])]

    def _end(self) -> NoReturn:
        """The supervisor is gone, or has no more to ask."""
        if self.child_pid:
            os.kill(self.child_pid, signal.SIGKILL)
        os._exit(0)

    def _obey(self, order: Json) -> None:
        if "fork" in order:
            _send(self.control, id=order["id"], **self._fork(order["fork"]))
        else:
            self.grow(order["names"])

    # The fork that imports.

    def grow(self, names: Sequence[str]) -> None:
        """Have a fork import more, and serve then."""
        if self.child:
            return
        self.names = [
            name for name in names if name not in sys.modules and not self._is_left_out(name)
        ]
        if not self.names:
            _send(self.control, loaded=[], left_out=self.left_out)
            return
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.freeze()
        pid = _fork()
        if pid:
            its.close()
            self.child, self.child_pid, self.trying = mine, pid, ""
            return
        mine.close()
        if self.parent:
            self.parent.close()
        for fd in self.runners:
            os.close(fd)
        self.parent, self.runners = its, {}
        self._import()

    def _is_left_out(self, name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:count]) in self.left_out for count in range(1, len(parts) + 1))

    def _import(self) -> None:
        assert self.parent is not None  # noqa: S101 - the caller has made it
        said = [os.dup(1), os.dup(2)]
        sink = os.memfd_create("nbbg")
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        with contextlib.suppress(OSError):
            os.chdir(self.cwd)
        process = trying.Process(self.guest, self.left_out)
        with self.ready.as_in_a_cell():
            for name in self.names:
                self._note(at=name)
                try:
                    process.import_it(name)
                except trying.BadImportError as error:
                    self._note(bad=name, why=str(error))
                    os._exit(0)
        os.chdir("/")
        for fd, kept in zip((1, 2), said):
            os.dup2(kept, fd)
            os.close(kept)
        os.close(sink)
        self.loaded = [name for name in self.names if name in sys.modules]
        self.stamps = {**self.stamps, **_stamps(sys.modules.values())}
        self._note(ready=self.loaded)
        _receive(self.parent, lambda: os._exit(0))  # until it has left the socket to this process

    def _note(self, **message: Any) -> None:
        assert self.parent is not None  # noqa: S101 - a fork has one
        _send(self.parent, **message)

    def _hear_child(self) -> None:
        assert self.child is not None  # noqa: S101 - the caller has looked
        message = _receive(self.child, dict)
        if "at" in message:
            self.trying = message["at"]
        elif "bad" in message:
            self.left_out[message["bad"]] = message["why"]
            self.trying = ""
        elif "ready" in message:
            _send(self.control, loaded=message["ready"], left_out=self.left_out)
            self.child_serves = True
            _send(self.child, go=True)
        else:
            self._outlive_child()

    def _outlive_child(self) -> None:
        """It was thrown away, or has crashed: go on without it."""
        assert self.child is not None  # noqa: S101 - the caller has looked
        self.child.close()
        _, status = os.waitpid(self.child_pid, 0)
        served, self.child_serves = self.child_serves, False
        self.child, self.child_pid = None, 0
        if self.trying and not served:
            hung = os.waitstatus_to_exitcode(status) == -signal.SIGALRM
            why = f"its import takes more than {trying.LIMIT} s" if hung else "its import crashes"
            self.left_out[self.trying] = why
        if served:
            _send(self.control, lost=True)
        elif len(self.left_out) < _LEFT_OUT:
            self.grow(self.names)
        else:
            _send(self.control, loaded=[], left_out=self.left_out)

    # The fork that is a run.

    def _fork(self, attempt: str) -> Json:
        """Fork the runner of an attempt; what the supervisor is told."""
        if self._is_stale():
            return {"cold": "installed packages have changed", "stale": True}
        taking, giving = os.pipe()
        gc.freeze()
        pid = _fork()
        if not pid:
            os.close(taking)
            self.go = giving
            self._be_runner(attempt)
        os.close(giving)
        if not _lives(taking, pid):
            return {"cold": "the fork of its template did not begin"}
        with open(f"/proc/{pid}/stat", "rb") as file:
            start_time = int(file.read().rpartition(b")")[2].split()[19])
        with contextlib.suppress(OSError):
            self.runners[os.pidfd_open(pid)] = pid
        return {"pid": pid, "start_time": start_time}

    def _be_runner(self, attempt: str) -> NoReturn:
        code = 1
        try:
            os.setsid()
            becoming.close_all((self.go,))
            becoming.rename([sys.executable, "-P", "-m", "nbbg.runner", attempt])
            _taken_out()
            sys.modules.update(self.of_runner)
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
            gc.enable()
            self._say_go()
            code = self.program.main(attempt, self._fork_engine)
        except Exception:  # noqa: BLE001 - as a program ends
            traceback.print_exc()
        os._exit(code)

    def _fork_engine(
        self, argv: Sequence[str], cwd: str, environment: Mapping[str, str], log: int, kept: Any
    ) -> tuple[int, str]:
        """Fork the engine of this runner; its pid, or 0 and why there is none."""
        top = _shadowed(cwd)
        if top:
            return 0, f"{top} lies beside its notebook, and would be imported"
        changed = _changed(self.environment, environment)
        if changed:
            return 0, f"{changed} is not what it was when the template began"
        taking, giving = os.pipe()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = _fork()
        if not pid:
            os.close(taking)
            self.go = giving
            self._leave_runner(argv, cwd, environment, log, kept)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(giving)
        return (pid, "") if _lives(taking, pid) else (0, "the fork of its template did not begin")

    def _leave_runner(
        self, argv: Sequence[str], cwd: str, environment: Mapping[str, str], log: int, kept: Any
    ) -> NoReturn:
        try:
            os.setsid()
            os.chdir(cwd)
            for fd in (1, 2):
                os.dup2(log, fd)
            self.kept = tuple(kept)
        except OSError:
            os._exit(1)
        raise EngineError(argv[-1], environment, argv)

    def become(self, told: EngineError) -> None:
        """What is left to be done where no frame of the runner's is left."""
        try:
            becoming.close_all((*self.kept, self.go))
            becoming.rename(told.argv)
            extra = {k: v for k, v in os.environ.items() if k not in self.environment}
            becoming.set_environment({**extra, **told.environment})
            becoming.mark(told.environment[paths.MARKER])
            _taken_out()
            sys.modules.update(self.of_guest)
            sys.stdout, sys.stderr = self.ready.streams
            becoming.reseed()
            importlib.invalidate_caches()
            _reset_signals()
            gc.enable()
            self._say_go()
        except BaseException:  # noqa: BLE001 - its runner starts another
            os._exit(1)

    def _say_go(self) -> None:
        os.write(self.go, b"1")
        os.close(self.go)

    def _is_stale(self) -> bool:
        """Whether what was imported is no longer what is there."""
        now = time.monotonic()
        whole = now - self._checked > _RECHECK
        self._checked = now if whole else self._checked
        for path, stamp in self.stamps.items():
            if (whole or path in _FOLDERS) and _stamp(path) != stamp:
                return True
        return False


_FOLDERS = frozenset(trying.installed())


def _fork() -> int:
    with warnings.catch_warnings():  # of threads: those that there are, are known to be harmless
        warnings.simplefilter("ignore")
        return os.fork()


def _lives(taking: int, pid: int) -> bool:
    """Whether a fork has said so; else it is ended."""
    try:
        poll = select.poll()
        poll.register(taking, select.POLLIN)
        if poll.poll(1000 * PATIENCE) and os.read(taking, 1):
            return True
    finally:
        os.close(taking)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def _reset_signals() -> None:
    """As a program that begins has them; the engine sets the rest."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The name of a variable that differs; empty where none does."""
    for name in sorted({*before, *now} - paths.OF_ONE_RUN):
        if before.get(name) != now.get(name):
            return name
    return ""


def _shadowed(cwd: str) -> str:
    """What in the notebook's folder would be imported instead of a library; empty: nothing."""
    with contextlib.suppress(OSError):
        for entry in os.listdir(cwd):
            module = sys.modules.get(entry[:-3] if entry.endswith(".py") else entry)
            file = getattr(module, "__file__", None)
            if file and file.startswith(tuple(_FOLDERS)):
                return entry
    return ""


def _taken_out() -> dict[str, ModuleType]:
    """The modules of nbbg, which are no longer loaded."""
    names = [name for name in sys.modules if name.partition(".")[0] == "nbbg"]
    return {name: sys.modules.pop(name) for name in names}


def _load(package: str) -> Any:
    """The runner, from the nbbg in that folder, whichever is the guest's."""
    init = os.path.join(package, "__init__.py")
    spec = importlib.util.spec_from_file_location(
        "nbbg", init, submodule_search_locations=[package]
    )
    assert spec is not None  # noqa: S101 - it is a .py file
    assert spec.loader is not None  # noqa: S101 - and so has one
    module = importlib.util.module_from_spec(spec)
    sys.modules["nbbg"] = module
    spec.loader.exec_module(module)
    return importlib.import_module(RUNNER)


def _stamps(modules: Any) -> dict[str, Any]:
    """What tells of each file and folder of installed packages whether it was changed."""
    files = {getattr(module, "__file__", None) for module in list(modules)}
    return {path: _stamp(path) for path in (*files, *_FOLDERS) if path}


def _stamp(path: str) -> Any:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _send(to: socket.socket, **message: Any) -> None:
    with contextlib.suppress(OSError):  # it is gone, which is noticed by reading
        to.send(json.dumps(message).encode())


def _receive(source: socket.socket, otherwise: Any = None) -> Json:
    try:
        data = source.recv(_PACKET)
    except OSError:
        data = b""
    if not data:
        found: Json = (otherwise or (lambda: os._exit(0)))()
        return found
    message: Json = json.loads(data)
    return message
