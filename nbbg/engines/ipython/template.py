"""The template of a batch: a process that has imported what its runs import, and is forked.

It is started in the interpreter of the runs and told by its batch's supervisor, through a socket
that is its standard input, what to do. For each run it forks the runner, which forks the engine: so
the parent of an engine is always its runner, as without a template. What is to be imported, a fork
imports, which then serves in its parent's place; where an import does what it may not, that fork is
thrown away, and the parent goes on without the module. Nothing but imports is done here, for a
process that has computed may have locks and pools that no fork survives.

Messages are JSON, one a packet. From the supervisor: `{package, cwd, path, notebook, names,
left_out}` first; then `{fork: ATTEMPT, id}` and `{names: [MODULE, ...]}`. From here: `{loaded,
left_out}`; `{id, pid, start_time}`; `{id, cold: WHY}`; `{lost}`; `{never: WHY}`. The template ends
when its supervisor's end of the socket is closed. It holds no lock, and no file of an attempt.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
import platform
import select
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any, Mapping, NoReturn, Sequence

from nbbg import paths
from nbbg.engines.ipython import becoming, forks, freshness, imports, leaving, packets, trying
from nbbg.engines.ipython.program import CannotStartError, Ready, refuse_questions
from nbbg.inside.recorder import unconnected

if TYPE_CHECKING:
    Json = dict[str, Any]

OLDEST = (3, 11)  # for the runner, which is not a guest
LOADED = (leaving,)  # for every engine
_LEFT_OUT = 20  # modules; if so many do what they may not, no more is imported


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
        packets.send(control, never=why)
        os._exit(0)
    gc.disable()
    order = packets.receive(control)
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
        self.cwd = order["cwd"]
        self.environment = dict(os.environ)
        self.kept: tuple[int, ...] = ()  # in an engine: the files that it was handed
        sys.argv = [order["path"]]
        refuse_questions()
        self.ready = Ready(guest, unconnected())
        try:
            self.ready.shell()
        except CannotStartError as error:
            packets.send(control, never=str(error))
            os._exit(0)
        self.of_guest = becoming.taken_out()
        self.program = forks.load(order["package"])
        self.of_runner = becoming.taken_out()
        sys.modules.update(self.of_guest)
        self.imported = freshness.Imported()
        self.imported.note(self.of_runner.values())
        self.names: list[str] = []
        self.grow([*imports.of(order["notebook"]), *order["names"]])

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
                self._obey(packets.receive(self.control, self._end))

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
            packets.send(self.control, id=order["id"], **self._fork(order["fork"]))
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
            packets.send(self.control, loaded=[], left_out=self.left_out)
            return
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.freeze()
        pid = forks.fork()
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
                    process.end_children()
                    os._exit(0)
        os.chdir("/")
        for fd, kept in zip((1, 2), said):
            os.dup2(kept, fd)
            os.close(kept)
        os.close(sink)
        self.loaded = [name for name in self.names if name in sys.modules]
        self.imported.note(sys.modules.values())
        self._note(ready=self.loaded)
        packets.receive(
            self.parent, lambda: os._exit(0)
        )  # until it has left the socket to this process

    def _note(self, **message: Any) -> None:
        assert self.parent is not None  # noqa: S101 - a fork has one
        packets.send(self.parent, **message)

    def _hear_child(self) -> None:
        assert self.child is not None  # noqa: S101 - the caller has looked
        message = packets.receive(self.child, dict)
        if "at" in message:
            self.trying = message["at"]
        elif "bad" in message:
            self.left_out[message["bad"]] = message["why"]
            self.trying = ""
            self._outlive_child()  # at once: what it has started may keep the socket open
        elif "ready" in message:
            packets.send(self.control, loaded=message["ready"], left_out=self.left_out)
            self.child_serves = True
            packets.send(self.child, go=True)
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
            packets.send(self.control, lost=True)
        elif len(self.left_out) < _LEFT_OUT:
            self.grow(self.names)
        else:
            packets.send(self.control, loaded=[], left_out=self.left_out)

    # The fork that is a run.

    def _fork(self, attempt: str) -> Json:
        """Fork the runner of an attempt; what the supervisor is told."""
        if self.imported.has_changed():
            return {"cold": "installed packages have changed", "stale": True}
        taking, giving = os.pipe()
        gc.freeze()
        pid = forks.fork()
        if not pid:
            os.close(taking)
            self.go = giving
            self._be_runner(attempt)
        os.close(giving)
        if not forks.lives(taking, pid):
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
            becoming.taken_out()
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
        top = freshness.shadowed(cwd)
        if top:
            return 0, f"{top} lies beside its notebook, and would be imported"
        changed = freshness.changed(self.environment, environment)
        if changed:
            return 0, f"{changed} is not what it was when the template began"
        taking, giving = os.pipe()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = forks.fork()
        if not pid:
            os.close(taking)
            self.go = giving
            self._leave_runner(argv, cwd, environment, log, kept)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(giving)
        return (
            (pid, "") if forks.lives(taking, pid) else (0, "the fork of its template did not begin")
        )

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
            becoming.taken_out()
            sys.modules.update(self.of_guest)
            sys.stdout, sys.stderr = self.ready.streams
            becoming.reseed()
            importlib.invalidate_caches()
            becoming.reset_signals()
            gc.enable()
            self._say_go()
        except BaseException:  # noqa: BLE001 - its runner starts another
            os._exit(1)

    def _say_go(self) -> None:
        os.write(self.go, b"1")
        os.close(self.go)
