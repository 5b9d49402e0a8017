"""Starts the kernel's process: which program, which descriptors, which sockets.

A Python kernel is `PYTHON -m ipykernel_launcher`, whatever kernelspecs are installed; other
languages come by the name of their kernelspec. Kernels that are written in Python are spoken to
through sockets in a folder that only its owner can enter; the others over the loopback interface,
which all of them can.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from nbbg import paths

if TYPE_CHECKING:
    from nbbg.engines.kernel.task import Task

LONGEST = 80  # characters of a socket's path; the system takes about 100
NO_HISTORY = "--HistoryManager.hist_file=:memory:"  # SQLite in a shared home is slow, or hangs


class StartError(Exception):
    """There is no kernel to start; the text says what to type."""


class _OneSpec(KernelSpecManager):
    """Knows one kernel: ipykernel in a given interpreter."""

    def __init__(self, python: str) -> None:
        super().__init__()
        command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", NO_HISTORY]
        self._spec = KernelSpec(argv=command, display_name=python, language="python")

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 - jupyter_client's
        return self._spec


class Launched:
    """A kernel's process and what speaks to it.

    Attributes:
        manager: of jupyter_client.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._sockets = ""
        connection = os.path.join(task.attempt, paths.CONNECTION)
        options: dict[str, Any] = {"connection_file": connection}
        if task.python:
            options["kernel_spec_manager"] = _OneSpec(task.python)
        else:
            options["kernel_name"] = task.kernel
        self.manager = AsyncKernelManager(**options)

    async def start(self) -> None:
        """Start the process.

        Raises:
            StartError: there is no such kernel or interpreter.
        """
        try:
            if self.task.python or self._is_written_in_python():
                self._sockets = _private_folder()
                self.manager.transport = "ipc"
                self.manager.ip = os.path.join(self._sockets, "k")
            await self.manager.start_kernel(pass_fds=(self.task.lock,), stdin=subprocess.DEVNULL)
        except NoSuchKernel as error:
            known = ", ".join(sorted(KernelSpecManager().find_kernel_specs())) or "none"
            message = f"there is no kernel {error.name!r}; there are: {known}"
            raise StartError(message) from None
        except OSError as error:
            why = f"{self.task.origin} can't be started: {error.strerror}"
            raise StartError(f"{why}; choose another with --python") from None

    async def ended(self) -> int:
        """Wait until the process has ended; its code, negative for a signal."""
        provisioner: Any = self.manager.provisioner
        with contextlib.suppress(OSError, AttributeError):  # where there is no pidfd, it is polled
            await _gone(os.pidfd_open(provisioner.pid))
        return int(await provisioner.wait() or 0)

    def _is_written_in_python(self) -> bool:
        spec = self.manager.kernel_spec
        return bool(spec and os.path.basename(spec.argv[0]).startswith("python"))

    async def clean(self) -> None:
        """Kill what still lives; remove the connection file and the sockets."""
        if self.manager.has_kernel:
            await self.manager.shutdown_kernel(now=True)
        with contextlib.suppress(Exception):
            await self.manager.cleanup_resources()
        if self._sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)


def _private_folder() -> str:
    found = tempfile.mkdtemp(prefix="nbbg-")
    if len(found) <= LONGEST:
        return found
    os.rmdir(found)
    return tempfile.mkdtemp(prefix="nbbg-", dir="/tmp")


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
