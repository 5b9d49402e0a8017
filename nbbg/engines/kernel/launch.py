"""The kernel's process and how to speak to it: started, signalled, ended, cleaned up after.

A Python kernel was spawned before this module was imported; other languages come by the name of
their kernelspec, through jupyter_client. Kernels that are written in Python are spoken to through
sockets in a folder that only its owner can enter; the others over the loopback interface, which
all of them can. jupyter_client lives here alone, and is imported for those.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any, Protocol

from nbbg import paths
from nbbg.engines.kernel import spawn

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

    from nbbg.engines.kernel.spawn import Spawned
    from nbbg.engines.kernel.task import Task


class StartError(Exception):
    """There is no kernel to start; the text says what to type."""


class Launched(Protocol):
    """A kernel's process."""

    @property
    def lives(self) -> bool:
        """Whether there is one, as far as is known."""

    async def start(self) -> str:
        """Start it; its connection file.

        Raises:
            StartError: there is no such kernel or interpreter.
        """

    async def ended(self) -> int:
        """Wait until the process has ended; its code, negative for a signal."""

    async def signal(self, number: int) -> None:
        """Send it a signal."""

    async def interrupt(self) -> None:
        """What Ctrl-C does."""

    async def clean(self) -> None:
        """Kill what still lives; remove the connection file and the sockets."""


class Python:
    """The kernel of an interpreter."""

    def __init__(self, task: Task, spawned: Spawned) -> None:
        self.task = task
        self.spawned = spawned

    @property
    def lives(self) -> bool:
        """Whether it was started."""
        return self.spawned.process is not None

    async def start(self) -> str:
        """Its connection file.

        Raises:
            StartError: it could not be started.
        """
        if self.spawned.process is None:
            why = f"{self.task.origin} can't be started: {self.spawned.fault}"
            raise StartError(f"{why}; choose another with --python")
        return self.spawned.connection

    async def ended(self) -> int:
        """Wait until the process has ended; its code, negative for a signal."""
        assert self.spawned.process  # noqa: S101 - it was started
        await _gone(os.pidfd_open(self.spawned.process.pid))
        return self.spawned.process.wait()

    async def signal(self, number: int) -> None:
        """Send its group a signal."""
        if self.spawned.process and self.spawned.process.poll() is None:
            os.killpg(self.spawned.process.pid, number)

    async def interrupt(self) -> None:
        """What Ctrl-C does."""
        await self.signal(signal.SIGINT)

    async def clean(self) -> None:
        """Kill what still lives; remove the connection file and the sockets."""
        self.spawned.clean()


class Named:
    """The kernel of a kernelspec."""

    def __init__(self, task: Task) -> None:
        from jupyter_client.manager import AsyncKernelManager

        self.task = task
        self._sockets = ""
        connection = os.path.join(task.attempt, paths.CONNECTION)
        self.manager: AsyncKernelManager = AsyncKernelManager(
            kernel_name=task.kernel, connection_file=connection
        )

    @property
    def lives(self) -> bool:
        """Whether it was started."""
        return self.manager.has_kernel

    async def start(self) -> str:
        """Start it; its connection file.

        Raises:
            StartError: there is no such kernel, or its program.
        """
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        try:
            if self._is_written_in_python():
                self._sockets = spawn.private_folder()
                self.manager.transport = "ipc"
                self.manager.ip = os.path.join(self._sockets, spawn.PREFIX)
            await self.manager.start_kernel(
                pass_fds=tuple(self.task.held), stdin=subprocess.DEVNULL
            )
        except NoSuchKernel as error:
            known = ", ".join(sorted(KernelSpecManager().find_kernel_specs())) or "none"
            message = f"there is no kernel {error.name!r}; there are: {known}"
            raise StartError(message) from None
        except OSError as error:
            raise StartError(f"{self.task.origin} can't be started: {error}") from None
        return str(self.manager.connection_file)

    async def ended(self) -> int:
        """Wait until the process has ended; its code, negative for a signal."""
        provisioner: Any = self.manager.provisioner
        with contextlib.suppress(OSError, AttributeError):  # where there is no pidfd, it is polled
            await _gone(os.pidfd_open(provisioner.pid))
        return int(await provisioner.wait() or 0)

    async def signal(self, number: int) -> None:
        """Send it a signal."""
        with contextlib.suppress(RuntimeError, ProcessLookupError):
            await self.manager.signal_kernel(number)

    async def interrupt(self) -> None:
        """What Ctrl-C does; by message where the kernelspec says so."""
        await self.manager.interrupt_kernel()

    async def clean(self) -> None:
        """Kill what still lives; remove the connection file and the sockets."""
        if self.manager.has_kernel:
            await self.manager.shutdown_kernel(now=True)
        with contextlib.suppress(Exception):
            await self.manager.cleanup_resources()
        if self._sockets:
            spawn.remove(self._sockets)

    def _is_written_in_python(self) -> bool:
        spec = self.manager.kernel_spec
        return bool(spec and os.path.basename(spec.argv[0]).startswith("python"))


async def _gone(pidfd: int) -> None:
    """Wait until the process of this descriptor has ended, and close the descriptor."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(pidfd, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
