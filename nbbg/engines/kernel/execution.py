"""Goes through the cells of a notebook in a kernel, and tells the journal how it went."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from nbbg import process
from nbbg.classes import dataclass
from nbbg.engines.kernel.live import AnswerError, DeadKernelError, SilentKernelError

if TYPE_CHECKING:
    from nbbg.engines.kernel.live import Kernel
    from nbbg.engines.kernel.task import Task
    from nbbg.engines.spec import Cell
    from nbbg.inside.recorder import Recorder

SETTLED = 0.2  # seconds after which a kernel that was sent a cell surely executes it
INTERRUPTED = 128 + signal.SIGINT
VANISHED = "vanished"  # never journalled: the kernel ended itself as if all were well


@dataclass(frozen=True)
class End:
    """How a notebook ended."""

    status: str  # "succeeded", "failed", "exited", "killed", "interrupted", "vanished"
    code: int  # exit code of the engine; negative for the signal that ended the kernel
    ordinal: int | None = None
    error: dict[str, str] | None = None
    raised: tuple[int, ...] = ()  # cells that raised, where errors are allowed

    def fields(self, left_out: list[int]) -> dict[str, Any]:
        """Of the journal's `end` event."""
        by_signal = process.signal_name(-self.code) if self.code < 0 else None
        return {
            "status": self.status,
            "ordinal": self.ordinal,
            "error": self.error,
            "exit_code": None if by_signal else self.code,
            "signal": by_signal,
            "left_out": left_out,
            "raised": list(self.raised),
            "note": "",
        }


class Execution:
    """One notebook in one kernel.

    Args:
        task: what the runner asks for.
        kernel: started.
        recorder: of the attempt.
    """

    def __init__(self, task: Task, kernel: Kernel, recorder: Recorder) -> None:
        self.task = task
        self.kernel = kernel
        self.recorder = recorder
        self.stopping = False
        self.terminated = False  # by SIGTERM
        self.raised: list[int] = []  # cells that raised, where errors are allowed
        self._sent_at: float | None = None  # when the kernel was given what it works on

    async def run(self) -> End:
        """Execute the cells up to the first that ends the notebook; then keep the results."""
        count = 0
        ordinal = None
        try:
            for cell in self.task.cells:
                if self.stopping:
                    return self.given_up(ordinal)
                ordinal = cell.ordinal
                count += not cell.idle
                if end := await self._cell(cell, count):
                    return end
            return await self._keep_results(ordinal)
        except DeadKernelError as death:
            return died(death.code, ordinal)
        except SilentKernelError as silence:
            value = f"{self.task.origin} {silence}"
            return End("failed", 1, ordinal, {"name": "KernelSilent", "value": value})

    async def stop(self) -> None:
        """Interrupt what the kernel works on; a kernel that works on nothing is ended."""
        self.stopping = True
        if self._sent_at is None:
            await self.kernel.terminate()
            return
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._sent_at + SETTLED - now))
        if self._sent_at is not None:
            await self.kernel.interrupt()

    async def terminate(self) -> None:
        """End the kernel, whatever it works on."""
        self.stopping = self.terminated = True
        await self.kernel.terminate()

    def given_up(self, ordinal: int | None) -> End:
        """The end where a signal came while no cell was executed."""
        return died(-signal.SIGTERM, ordinal) if self.terminated else interrupted(ordinal)

    async def _cell(self, cell: Cell, count: int) -> End | None:
        """Execute one cell; an end where the notebook ends with it."""
        if cell.idle:
            self._tell("cell_end", cell=cell.position, status="skipped")
            return None
        cells = len(self.task.cells)
        self._tell("cell", cell=cell.position, ordinal=cell.ordinal, cells=cells, count=count)
        reply = await self._work(cell.source)
        end = await self._judge(cell, reply)
        bad = reply["status"] != "ok" and not (end and end.code == 0)
        self._tell("cell_end", cell=cell.position, status="error" if bad else "ok")
        if end is None or end.status != "failed":
            return end
        if self.task.allow_errors and not cell.may_raise:
            self.raised.append(cell.ordinal)
        return None if self.task.allow_errors or cell.may_raise else end

    async def _judge(self, cell: Cell, reply: dict[str, Any]) -> End | None:
        if reply["status"] == "ok":
            return End("exited", 0, cell.ordinal) if _asks_to_exit(reply) else None
        name = str(reply.get("ename") or reply["status"])  # that of bash is empty
        error = self.recorder.masked({"name": name, "value": str(reply.get("evalue", ""))})
        if self.stopping or name == "KeyboardInterrupt":
            return interrupted(cell.ordinal, error)
        if name == "SystemExit" and self.kernel.records_itself:
            code = int(await self.kernel.ask("exit_code()"))
            spoken = code == 1 and error["value"] not in {"1", "True"}  # sys.exit("no data")
            return End("exited", code, cell.ordinal, error if spoken else None)
        return End("failed", 1, cell.ordinal, error)

    async def _keep_results(self, ordinal: int | None) -> End:
        if self.task.results and self.kernel.records_itself:
            call = f"keep({list(self.task.results)!r}, {self.task.attempt!r})"
            try:
                await self._work(call, ask=True)
            except AnswerError as error:
                return End("failed", 1, ordinal, {"name": error.name, "value": error.value})
        return End("succeeded", 0, ordinal, raised=tuple(self.raised))

    async def _work(self, source: str, *, ask: bool = False) -> Any:
        """Let the kernel work on a cell, or on a question of ours; it can be interrupted."""
        self._sent_at = asyncio.get_running_loop().time()
        try:
            return await (self.kernel.ask(source) if ask else self.kernel.execute(source))
        finally:
            self._sent_at = None

    def _tell(self, event: str, **fields: Any) -> None:
        self.recorder.event(event, **fields)


def interrupted(ordinal: int | None, error: dict[str, str] | None = None) -> End:
    """The end of a notebook that was stopped."""
    by = error or {"name": "KeyboardInterrupt", "value": ""}
    return End("interrupted", INTERRUPTED, ordinal, by)


def died(code: int, ordinal: int | None) -> End:
    """The end of a notebook whose kernel ended unasked.

    `os._exit(0)` is no success: as in the `ipython` engine, the journal has no end then.
    """
    if code < 0:
        return End("killed", code, ordinal)
    return End("exited" if code else VANISHED, code, ordinal)


def _asks_to_exit(reply: dict[str, Any]) -> bool:
    """Whether a cell called IPython's `exit` or `quit`, which ends the kernel a little later."""
    return any(each.get("source") == "ask_exit" for each in reply.get("payload") or ())
