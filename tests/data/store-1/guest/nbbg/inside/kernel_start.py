"""What the `kernel` engine has done inside a Python kernel, out of the notebook's sight.

The kernel's own streams and displays are recorded here, in the kernel's process, at the very
instant: what was printed before a segfault, or before hours in one C call, is in the log. The
kernel goes on to publish all of it, so a console that is attached to it sees what it always sees.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
import threading
import warnings
from typing import Any, Callable

from IPython import get_ipython

from nbbg import files, holding, stacks, unattended
from nbbg.inside import imported, kept, place, text_bars
from nbbg.inside.recorder import TAKES, Recorder

_DESCRIPTORS = {"stdout": 1, "stderr": 2}


def prepare(attempt: str, held: list[int], session: str) -> None:
    """Make this kernel one that records itself.

    Args:
        attempt: the folder of the attempt.
        held: the descriptors of its lock and slots, which no child may keep.
        session: the engine's; what other clients execute is theirs, and not recorded.

    Raises:
        AttributeError: this kernel is not made as ipykernel's are.
    """
    for fd in held:
        holding.keep_from_children(fd)
    with files.Folder(attempt) as folder:
        stacks.answer(folder)
    place.attempt()  # opened before anybody moves the project
    unattended.pass_breakpoints_by()
    text_bars.install()
    faulthandler.enable(2, all_threads=False)  # a crash leaves its stack in the log
    warnings.filterwarnings("ignore", "To exit: use 'exit', 'quit', or Ctrl-D")
    kernel = get_ipython().kernel
    recorder = Recorder(files.Folder(attempt))
    os.register_at_fork(after_in_child=recorder.in_forked_child)
    own = _Own(session)
    send = _recording_send(kernel.session.send, recorder, own)
    streams: list[Any] = [sys.stdout, sys.stderr]
    for stream in streams:
        _give_back_descriptor(stream)
        _record_writes(stream, recorder, own)
    kernel.session.send = send
    get_ipython().events.register("post_execute", recorder.hide_foreign)
    atexit.register(_note_imported, os.getpid())


def keep(names: list[str], attempt: str) -> None:
    """Keep the notebook's variables of these names in the folder of the attempt."""
    folder = place.attempt()
    kept.keep(get_ipython().user_ns, names, folder.where() if folder else attempt)


def _note_imported(pid: int) -> None:
    folder = place.attempt()
    if folder and os.getpid() == pid:  # not in a child that was forked
        imported.note(folder)


def exit_code() -> int:
    """The code of the `sys.exit` that ended the last cell; a text is printed, as Python does."""
    error = getattr(sys, "last_value", None)
    code = error.code if isinstance(error, SystemExit) else 1
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def leave() -> None:
    """Have the kernel's process end as Python ends, with all that it does at exit.

    As IPython's own `exit` does: a kernel that is asked from outside to shut down now and then
    hangs, for its control thread still flushes streams that its main thread has closed (ipykernel
    7.4).
    """
    looking = sys.modules.get("nbbg.inside.looking")
    if looking is not None:
        looking.interrupt_all()
    loop = get_ipython().kernel.io_loop
    loop.call_later(0, loop.stop)


class _Own:
    """Whether a message belongs to the notebook: to the engine's requests, or to none."""

    def __init__(self, session: str) -> None:
        self.session = session

    def __call__(self, parent: Any) -> bool:
        thread = threading.current_thread()
        if thread is not threading.main_thread():
            # Of such a thread ipykernel knows but the last request of all; who looks into the
            # kernel has one named so.
            return not thread.name.startswith("subshell-")
        header = (parent or {}).get("header", parent) or {}
        return bool(header.get("session", self.session) == self.session)


def _record_writes(stream: Any, recorder: Recorder, own: _Own) -> None:
    publish = stream.write
    name = str(stream.name)

    def write(text: Any) -> Any:
        if not isinstance(text, str):
            return publish(text)  # raises what it always raises
        if recorder.silent:  # in a forked child, which must not use the sockets
            recorder.text(name, text)
            return len(text)
        if own(stream.parent_header):
            recorder.text(name, text)
        return publish(text)

    stream.write = write


def _recording_send(send: Callable[..., Any], recorder: Recorder, own: _Own) -> Callable[..., Any]:
    def recording(
        stream: Any, message: Any, content: Any = None, parent: Any = None, *rest: Any, **more: Any
    ) -> Any:
        whole = isinstance(message, dict)
        kind = message["header"]["msg_type"] if whole else message
        if kind in TAKES and not recorder.silent:
            origin = message["parent_header"] if whole else parent
            shown = message["content"] if whole else content
            if own(origin) and not _is_recorded_elsewhere(kind, shown):
                recorder.take(kind, shown)
        return send(stream, message, content, parent, *rest, **more)

    return recording


def _is_recorded_elsewhere(kind: str, shown: Any) -> bool:
    """A stream, when it was written; `sys.exit`, as how the notebook ended."""
    return kind == "stream" or (kind == "error" and shown.get("ename") == "SystemExit")


def _give_back_descriptor(stream: Any) -> None:
    """Let C code and children write into the log itself, not into a pipe that ipykernel reads.

    Not by ipykernel's own option, with which `sys.stdout` has no `fileno()`.
    """
    log = getattr(stream, "_original_stdstream_copy", None)
    if log is not None:
        os.dup2(log, _DESCRIPTORS[stream.name])
        stream._should_watch = False  # noqa: SLF001 - else it ends with a zero byte in the log
