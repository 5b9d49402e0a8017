"""A second thread of execution in a running Python kernel, for whoever looks into it.

ipykernel 7 offers it under the name of a kernel subshell. A plain second client of a kernel gets
no answer while a cell runs.
"""

from __future__ import annotations

import ast
import json
import os
import time
from typing import TYPE_CHECKING, Any, Self

import zmq

from nbbg.engines.kernel.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10.0
KEEP = 10_000  # messages that wait for us, while the run prints and nobody types
LOOK = 0.2  # seconds between two looks whether the kernel lives
_GUEST = "__import__('nbbg.inside.looking', fromlist=['_'])"


class NoSubshellError(Exception):
    """This kernel can't be looked into while it works; the text says why."""


class SilentError(Exception):
    """The kernel lives and does not answer."""


class GoneError(Exception):
    """The kernel has ended."""


class Subshell:
    """One, from its making to its end; a context manager.

    Args:
        connection: the kernel's connection file.
        show: is given what the kernel prints for us, as it comes.
        patience: seconds for an answer that takes the kernel no work.

    Raises:
        NoSubshellError: entering, the kernel has none.
        SilentError: it does not answer.
        GoneError: it has ended.
    """

    def __init__(
        self, connection: str, show: Callable[[str], object], patience: float = PATIENCE
    ) -> None:
        self.connection = connection
        self.show = show
        self.patience = patience
        self._id = ""
        self._stuck = False
        self._done: set[str] = set()  # requests
        self._replies: dict[str, dict[str, Any]] = {}  # that came before they were waited for

    def __enter__(self) -> Self:
        try:
            self._wire = Wire(self.connection, zmq.Context(), keep=KEEP)
        except (OSError, ValueError, KeyError) as error:
            raise GoneError(str(error)) from None
        self._who = self._wire.session
        try:
            self._wire.socket("iopub")
            self._require(self._greet())
            self._id = self._create()
        except BaseException:
            self._wire.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self._stuck:  # else the kernel would wait for it, and for nothing else
                self._delete(self._id)
        except (SilentError, GoneError):
            pass  # it ends with the kernel
        finally:
            self._wire.close()

    def execute(self, source: str) -> tuple[bool, str]:
        """Execute code in the notebook's namespace: whether it raised, and its answer as text.

        Ctrl-C interrupts it.

        Raises:
            GoneError: the kernel has ended.
            SilentError: the code does not let itself be interrupted.
        """
        sent = self._send(f"execute({source!r}, {self._who!r})", self._id)
        self._stuck = True
        try:
            answer = self._answer(sent, None)
        except KeyboardInterrupt:
            answer = self._interrupted(sent)
        except SystemExit:  # a signal ends us
            self._interrupted(sent)
            raise
        self._stuck = False
        found = json.loads(answer)
        return found["raised"], found["text"]

    def variables(self) -> list[list[str]]:
        """The notebook's variables: name, type, size, short value.

        Raises:
            GoneError, SilentError: the kernel does not answer (any more).
        """
        found: list[list[str]] = json.loads(
            self._answer(self._send("variables()", self._id), self.patience)
        )
        return found

    def _greet(self) -> dict[str, Any]:
        """Ask the kernel what it is, until what it publishes reaches us too."""
        while True:
            about = self._control("kernel_info_request", {})
            if self._show_what_came(self._wire.sent):
                return about

    def _require(self, about: dict[str, Any]) -> None:
        """Leave a kernel alone that has no subshells, or is not Python."""
        language = about.get("language_info", {}).get("name", "?")
        if language != "python":
            raise NoSubshellError(f"a kernel in {language} can't be")
        if "kernel subshells" not in about.get("supported_features", ()):
            version = about.get("implementation_version", "")
            raise NoSubshellError(f"its ipykernel is {version}, and that takes 7 or later")

    def _create(self) -> str:
        return str(self._control("create_subshell_request", {})["subshell_id"])

    def _delete(self, subshell: str) -> None:
        self._control("delete_subshell_request", {"subshell_id": subshell})

    def _interrupted(self, sent: str) -> str:
        """Interrupt what we execute, through a further subshell, since ours is at work."""
        other = self._create()
        self._answer(self._send(f"interrupt({self._who!r})", other), self.patience)
        self._delete(other)
        answer = self._answer(sent, self.patience)
        self._stuck = False
        return answer

    def _control(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        self._wire.socket("control").send_multipart(self._wire.packed(kind, content))
        return self._reply("control", self._wire.sent, self.patience)

    def _send(self, call: str, subshell: str) -> str:
        """Have a function of the guest called in a subshell; the id of the request."""
        content = {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": {"nbbg": f"{_GUEST}.{call}"},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        frames = self._wire.packed("execute_request", content, subshell)
        self._wire.socket("shell").send_multipart(frames)
        return self._wire.sent

    def _answer(self, sent: str, patience: float | None) -> str:
        reply = self._reply("shell", sent, patience)
        answer = reply.get("user_expressions", {}).get("nbbg", reply)
        if answer.get("status") != "ok":
            raise NoSubshellError(f"{answer.get('ename')}: {answer.get('evalue')}")
        return str(ast.literal_eval(answer["data"]["text/plain"]))

    def _reply(self, channel: str, sent: str, patience: float | None) -> dict[str, Any]:
        deadline = None if patience is None else time.monotonic() + patience
        while sent not in self._replies:
            self._show_what_came()
            message = self._receive(channel, LOOK)
            if message:
                self._replies[message["parent"].get("msg_id")] = message["content"]
            else:
                self._check(deadline)
        if channel == "shell":
            self._show_what_came(sent)
        return self._replies.pop(sent)

    def _receive(self, channel: str, patience: float) -> dict[str, Any] | None:
        socket = self._wire.socket(channel)
        came = socket.poll(1000 * patience)
        return self._wire.unpacked(socket.recv_multipart()) if came else None

    def _check(self, deadline: float | None) -> None:
        if not os.path.exists(self.connection):
            raise GoneError("it has ended")
        if deadline is not None and time.monotonic() > deadline:
            raise SilentError

    def _show_what_came(self, until: str = "") -> bool:
        """Show what was printed for us; whether the kernel is done with the request `until`.

        The run's own output comes here too, perhaps without a pause; so it takes no longer than
        `LOOK`.
        """
        deadline = time.monotonic() + LOOK
        while until not in self._done and (left := deadline - time.monotonic()) > 0:
            message = self._receive("iopub", left if until else 0)
            if message is None:
                break
            if message["parent"].get("session") == self._who:
                self._take(message)
        return until in self._done

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["kind"] == "stream":
            self.show(content["text"])
        elif "data" in content:
            self.show(f"{content['data'].get('text/plain', '')}\n")
        elif content.get("execution_state") == "idle":
            self._done.add(message["parent"]["msg_id"])
