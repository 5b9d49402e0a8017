"""A live kernel: asked to execute code, interrupted, ended; its death noticed at once.

Without nbclient: beside JupyterLab the import of nbformat costs each run 0.75 s, and nbclient drops
what a background thread prints once its cell is over, looks for a dead kernel once a second, and
throws away what the dead one had still sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from nbbg.engines.kernel.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from nbbg.engines.kernel.launch import Launched
    from nbbg.engines.kernel.task import Task
    from nbbg.inside.recorder import Recorder

FAREWELL = 600.0  # seconds for what a notebook does at exit, such as a tracker's last upload
READY = 120.0  # seconds until a kernel must answer; on a cold network disk it takes many
HEARD = 0.2  # seconds until what a kernel published has come, unless nobody had subscribed yet
DEAF = 2.0  # seconds after which a kernel that was asked to end is asked in another way
CUT_OFF = 5.0  # seconds that a kernel lives on after it closed its connection
SHUTDOWN = 30.0  # seconds for a kernel that can only be asked by message, which some never answer
SETTLE = 0.3  # seconds until what a dead kernel sent has been read
_START = "__import__('nbbg.inside.kernel_start', fromlist=['_'])"


class DeadKernelError(Exception):
    """The kernel's process ended unasked; `code` is negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class SilentKernelError(Exception):
    """The kernel's process lives, and does not answer; the text says why it is thought so."""


class AnswerError(Exception):
    """An expression raised in the kernel."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(name, value)
        self.name = name
        self.value = value


class Kernel:
    """The kernel of one attempt.

    Args:
        task: what the runner asks for.
        launched: its process.
        recorder: where what a kernel of another language shows goes.
        ready: seconds until it must answer.
    """

    def __init__(
        self, task: Task, launched: Launched, recorder: Recorder, ready: float = READY
    ) -> None:
        self.task = task
        self.recorder = recorder
        self.ready = ready
        self.records_itself = False
        self._launched = launched
        self._channels = contextlib.ExitStack()
        self._terminated = False
        self._silent = False

    async def start(self) -> None:
        """Start it, and wait until it can execute code.

        Raises:
            StartError: there is no such kernel or interpreter.
            DeadKernelError: it ended before it could.
            SilentKernelError: it does not answer.
        """
        connection = await self._launched.start()
        self._died = asyncio.create_task(self._launched.ended())
        self._wire = Wire(connection, zmq.asyncio.Context())
        self._channels.callback(self._wire.close)
        self._cut_off = asyncio.create_task(self._wait_until_cut_off())
        self._channels.callback(self._cut_off.cancel)
        try:
            await asyncio.wait_for(self._become_ready(), self.ready)
        except TimeoutError:
            self._silent = True
            message = f"did not answer within {self.ready:g} s: it is halted, or stuck in its start"
            raise SilentKernelError(message) from None

    async def execute(self, source: str) -> dict[str, Any]:
        """Execute a cell; the content of the kernel's reply.

        Raises:
            DeadKernelError: it ended meanwhile.
            SilentKernelError: it will not answer any more.
        """
        reply: dict[str, Any] = await self._request(source)
        return reply

    async def ask(self, call: str) -> str:
        """The repr of what a call of `nbbg.inside.kernel_start` returns; the notebook sees nothing.

        Raises:
            AnswerError: the call raised.
            DeadKernelError: it ended meanwhile.
        """
        return await self._evaluate(f"{_START}.{call}")

    async def interrupt(self) -> None:
        """What Ctrl-C does."""
        await self._launched.interrupt()
        # ipykernel takes the signal, and then sleeps on in the `await` that it is to cancel, until
        # its event loop wakes: a request that means nothing wakes it
        await self._send("kernel_info_request", {})

    async def terminate(self) -> None:
        """End it by SIGTERM; when asked again, by SIGKILL."""
        number = signal.SIGKILL if self._terminated else signal.SIGTERM
        self._terminated = True
        await self._launched.signal(number)

    async def leave(self) -> int:
        """Let it end as its language ends, with all that it does at exit.

        The code of a Python kernel that did so, negative for a signal; 0 for all others, of which
        some are never well when they go.
        """
        if self._silent or not self._launched.lives:
            return 0
        goodbye = asyncio.ensure_future(self._say_goodbye())
        patience = FAREWELL if self.records_itself else SHUTDOWN
        await asyncio.wait({self._died}, timeout=patience)
        goodbye.cancel()
        await asyncio.gather(goodbye, return_exceptions=True)
        return self._died.result() if self.records_itself and self._died.done() else 0

    async def clean(self) -> None:
        """Kill it if it lives, and remove what speaks to it."""
        self._channels.close()
        await self._launched.clean()

    async def _become_ready(self) -> None:
        if self.task.python:
            self.records_itself = await self._prepare()
        if not self.records_itself:
            await self._unless_dead(self._meet())

    async def _meet(self) -> None:
        """Until it answers, and what it publishes reaches us.

        jupyter_client's own waiting polls, and then sleeps to be sure.
        """
        while True:
            self._wire.socket("iopub")
            sent = await self._send("kernel_info_request", {})
            await self._reply(sent)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._published(sent), HEARD)
                return

    async def _published(self, sent: str) -> None:
        while True:
            message = await self._receive("iopub")
            if message["parent"].get("msg_id") == sent:
                return

    async def _prepare(self) -> bool:
        """Make a Python kernel record itself; whether it does."""
        guest = f"__import__('sys').path.append({self.task.guest!r})"
        session = self._wire.session
        call = f"{_START}.prepare({self.task.attempt!r}, {[*self.task.held]}, {session!r})"
        try:
            await self._evaluate(f"({guest}, {call})")
        except AnswerError:
            return False
        return True

    async def _say_goodbye(self) -> None:
        if self.records_itself:
            with contextlib.suppress(AnswerError):
                await self.ask("leave()")
                return
        # Asked on the control channel, what is built on ipykernel 7.4 now and then takes 10 s: that
        # thread still flushes streams which the main thread has closed.
        await self._send("shutdown_request", {"restart": False})
        await asyncio.sleep(DEAF)
        await self._send("shutdown_request", {"restart": False}, "control")

    async def _evaluate(self, expression: str) -> str:
        reply = await self._request("", silent=True, user_expressions={"nbbg": expression})
        answer = reply.get("user_expressions", {}).get("nbbg", reply)
        if answer.get("status") != "ok":
            raise AnswerError(str(answer.get("ename")), str(answer.get("evalue")))
        return str(answer["data"]["text/plain"])

    async def _request(self, source: str, **options: Any) -> Any:
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": False, **options}
        sent = await self._unless_dead(self._send("execute_request", content))
        if self.records_itself or options:
            return await self._unless_dead(self._reply(sent))
        reply, _ = await self._unless_dead(asyncio.gather(self._reply(sent), self._shown(sent)))
        return reply

    async def _reply(self, sent: str) -> dict[str, Any]:
        while True:
            message = await self._receive("shell")
            if message["parent"].get("msg_id") == sent:
                content: dict[str, Any] = message["content"]
                return content

    async def _shown(self, sent: str) -> None:
        """Record what the kernel shows until it is done with a request."""
        own = self._wire.session
        while True:
            message = await self._receive("iopub")
            parent, kind = message["parent"], message["kind"]
            if parent.get("session", own) == own:
                self.recorder.take(kind, message["content"])
            idle = kind == "status" and message["content"]["execution_state"] == "idle"
            if idle and parent.get("msg_id") == sent:
                return

    async def _send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        frames = self._wire.packed(kind, content)
        sent = self._wire.sent
        await self._wire.socket(channel).send_multipart(frames)
        return sent

    async def _receive(self, channel: str) -> dict[str, Any]:
        while True:
            message = self._wire.unpacked(await self._wire.socket(channel).recv_multipart())
            if message:
                return message

    async def _unless_dead(self, answer: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> Any:
        task, died = asyncio.ensure_future(answer), self._died
        await asyncio.wait({task, died, self._cut_off}, return_when=asyncio.FIRST_COMPLETED)
        if died.done():
            await asyncio.wait({task}, timeout=SETTLE)
        if died.done() and (not task.done() or task.exception()):
            task.cancel()
            await asyncio.wait({task})
            raise DeadKernelError(died.result())
        if not task.done():
            task.cancel()
            self._silent = True
            raise SilentKernelError("closed its connection and lives on; did a cell call os.exec?")
        return await task

    async def _wait_until_cut_off(self) -> None:
        """Return when the kernel has closed its connection, and is not about to end."""
        await recv_monitor_message(self._wire.monitor("shell", zmq.EVENT_DISCONNECTED))
        await asyncio.wait({self._died}, timeout=CUT_OFF)
