"""The template of a batch: a process that has imported what its runs import, and is forked.

It is started in the interpreter of the runs and told by its batch's supervisor, through a socket
that is its standard input, what to do. For each run it forks the runner, which forks the engine
(see `spares`): so the parent of an engine is always its runner, as without a template. What is to
be imported, a fork imports, which then serves in its parent's place; where an import does what it
may not, that fork is thrown away, and the parent goes on without the module. Nothing but imports is
done here, for a process that has computed may have locks and pools that no fork survives.

Messages are JSON, one a packet. From the supervisor: `{package, cwd, path, notebook, names,
left_out, asked}` first; then `{fork: ATTEMPT, id}` and `{names: [MODULE, ...],
notebooks: [PATH, ...]}`. From here: `{loaded, left_out}`; `{id, pid, start_time}`;
`{id, cold: WHY}`; `{written}`, when a run has written how it ended; `{lost}`; `{never: WHY}`. The
template ends when its supervisor's end of the socket is closed. It holds no lock, and no file of
an attempt.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import platform
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, NoReturn, Sequence

from nbbg.engines import packets
from nbbg.engines.ipython import (
    becoming,
    forks,
    freshness,
    imports,
    leaving,
    spares,
    trying,
)
from nbbg.engines.ipython.program import CannotStartError, Ready, refuse_questions
from nbbg.inside.recorder import unconnected

if TYPE_CHECKING:
    Json = dict[str, Any]

OLDEST = (3, 11)  # for the runner, which is not a guest
LOADED = (leaving,)  # for every engine
_LEFT_OUT = 20  # modules; if so many do what they may not, no more is imported


def serve(guest: str) -> tuple[Ready, str]:
    """Serve; returns in each engine alone, with the folder of its attempt."""
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.close(nothing)
    why = _unfit(control)
    if why:
        packets.send(control, never=why)
        os._exit(0)
    becoming.end_with_parent()  # also where it is halted, and hears nothing
    gc.disable()
    order = packets.receive(control)
    template = _Template(guest, control, order)
    try:
        template.serve()
    except spares.EngineError as error:
        told = error
        told.__traceback__ = None
        template.let_go()
    return template.ready, spares.become(template.ready, told)


def _unfit(control: socket.socket) -> str:
    """Why no run can be forked here; empty: it can."""
    if sys.platform != "linux" or platform.python_implementation() != "CPython":
        return "warm starts need CPython on Linux"
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        return f"its interpreter is Python {found}, and warm starts need 3.11"
    if "PYTHONHASHSEED" not in os.environ or os.environ["PYTHONHASHSEED"] == "random":
        return "PYTHONHASHSEED is random: each run shall have its own"
    if trying.native_threads() > 1:
        return "its interpreter starts threads by itself: sitecustomize, or a .pth file"
    opened = {
        fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}")
    }
    if opened - {0, 1, 2, control.fileno()}:  # in the forks their numbers are those of other files
        return "its interpreter opens files by itself: sitecustomize, or a .pth file"
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
        self.asked: list[str] = order.get("asked", [])  # by a person: what is missing is told
        self.runners: dict[int, int] = {}  # descriptor that tells of its end -> pid
        self.begun: dict[int, spares.Spare] = {}  # descriptor that it speaks through -> runner
        self.spare: spares.Spare | None = None  # forked ahead
        self.wants_spare = False
        self.cwd = order["cwd"]
        self.environment = dict(os.environ)
        sys.argv = [order["path"]]
        refuse_questions()
        self.ready = Ready(guest, unconnected())
        try:
            self.ready.rehearse()
        except CannotStartError as error:
            packets.send(control, never=str(error))
            os._exit(0)
        atexit.register(leaving.hush_threads)  # before the shell's, which came first
        self.of_guest = becoming.ours()
        becoming.exchange(self.of_guest, {})
        self.program = forks.load(order["package"])
        self.program.get_ready(os.path.dirname(guest))
        self.of_runner = becoming.ours()
        becoming.exchange(self.of_runner, self.of_guest)
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
            if self.wants_spare and not self.spare and not poll.poll(0):
                self.spare = self._new_spare()
                continue
            fd, _ = poll.poll()[0]  # one alone: what follows may be the fork's
            if fd in self.runners:
                self._reap(fd)
            elif fd in self.begun:
                if self.begun.pop(fd).has_written():
                    packets.send(self.control, written=True)
            elif self.child and fd == self.child.fileno():
                self._hear_child()
            elif self.parent and fd == self.parent.fileno():
                os._exit(0)  # the parent says nothing: it is gone
            else:
                self._obey(packets.receive(self.control, self._end))

    def _watched(self) -> list[int]:
        ends = [each.fileno() for each in (self.child, self.parent) if each]
        return [
            *self.runners,
            *self.begun,
            *ends,
            *([] if self.child_serves else [self.control.fileno()]),
        ]

    def _end(self) -> NoReturn:
        """The supervisor is gone, or has no more to ask."""
        if self.child_pid:
            os.kill(self.child_pid, signal.SIGKILL)
        os._exit(0)

    def _obey(self, order: Json) -> None:
        if "fork" in order:
            packets.send(self.control, id=order["id"], **self._fork(order["fork"]))
        else:
            named = [name for each in order["notebooks"] for name in imports.of(each)]
            self.grow([*named, *order["names"]])

    def let_go(self) -> None:
        """In an engine: what ends with this object must close no file that is the engine's."""
        for each in (self.control, self.parent, self.child, *self.begun.values()):
            if each:
                each.detach()

    # The fork that imports.

    def grow(self, names: Sequence[str]) -> None:
        """Have a fork import more, and serve then."""
        if self.child:
            return
        self.names = [
            name for name in names if name not in sys.modules and not self._is_left_out(name)
        ]
        if not self.names:
            self.wants_spare = self.spare is None
            packets.send(self.control, loaded=[], left_out=self.left_out)
            return
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.freeze()
        pid = forks.fork()
        if pid:
            its.close()
            self.child, self.child_pid, self.trying = mine, pid, ""
            return
        becoming.end_with_parent()
        mine.close()
        if self.parent:
            self.parent.close()
        for fd in self.runners:
            os.close(fd)
        for each in (*self.begun.values(), *([self.spare] if self.spare else ())):
            each.let_go()
        self.parent, self.runners, self.begun, self.spare = its, {}, {}, None
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
        missing = {
            name: process.why_missing(name)
            for name in self.asked
            if name not in sys.modules and not self._is_left_out(name)
        }
        self.left_out.update(missing)
        self.of_guest = becoming.ours()
        self.imported.note(sys.modules.values())
        self.wants_spare = True
        self._note(ready=self.loaded, missing=missing)
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
            self.left_out.update(message["missing"])
            packets.send(self.control, loaded=message["ready"], left_out=self.left_out)
            self.child_serves = True
            if self.spare:  # that of the child has imported more
                self.spare.end()
            self.wants_spare = False
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
        """Have a runner carry out an attempt; what the supervisor is told."""
        if self.imported.has_changed():
            return {"cold": "installed packages have changed", "stale": True}
        self.spare = self.spare or self._new_spare()
        spare, self.spare, self.wants_spare = self.spare, None, True
        why = spare.begin(attempt)
        if why:
            return {"cold": why}
        self.begun[spare.fileno()] = spare
        return {"pid": spare.pid, "start_time": spare.start_time}

    def _new_spare(self) -> spares.Spare:
        leaving.look_at_libraries()
        self.wants_spare = False  # until this one is taken: it may die at once, and the next too
        kit = (self.ready, self.program, self.of_guest, self.of_runner, self.environment)
        spare = spares.Spare(spares.Kit(*kit))
        with contextlib.suppress(OSError):
            self.runners[os.pidfd_open(spare.pid)] = spare.pid
        return spare

    def _reap(self, fd: int) -> None:
        pid = self.runners.pop(fd)
        os.waitpid(pid, 0)
        os.close(fd)
        if self.spare and self.spare.pid == pid:
            self.spare.let_go()
            self.spare = None
