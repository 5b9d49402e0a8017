"""Notebooks executed by real Jupyter kernels through nbclient, two at a time.

`python -m tests.reference NOTEBOOK...` replaces each by its executed form.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

AT_ONCE = 2
PATIENCE = 100  # seconds for a cell


async def execute(path: Path, turn: asyncio.Semaphore) -> None:
    """Execute a notebook in its own folder, whatever its cells raise."""
    async with turn:
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=PATIENCE,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
        )
        await client.async_execute()
        nbformat.write(notebook, path)


async def main() -> None:
    """All that are named."""
    turn = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(execute(Path(name), turn) for name in sys.argv[1:]))


if __name__ == "__main__":
    asyncio.run(main())
