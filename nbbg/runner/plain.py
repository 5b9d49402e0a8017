"""What the `plain` engine leaves to the runner: the way to its modules, its journal's end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import journal, paths
from nbbg.engines.plain import ending, script
from nbbg.store import composed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.files import Folder
    from nbbg.runner.work import Exit, Place


def path(at: Place, environment: Mapping[str, str]) -> str:
    """PYTHONPATH: the notebook's folder, as if the script lay there, and at the end `nbbg`."""
    before = environment.get("PYTHONPATH", "")
    parts = [at.run.arm.cwd, before, str(at.batch_folder / paths.GUEST)]
    return os.pathsep.join(part for part in parts if part)


def cell_lines(at: Place) -> list[int | None]:
    """The line of the script at which each cell begins."""
    try:
        text = (at.batch_folder / at.run.arm.script).read_text(encoding="utf-8")
    except (OSError, ValueError):  # somebody has removed it: no cell is known then
        return []
    return script.lines(text, script.sources(composed.read_executable(at.batch_folder, at.run.arm)))


def tell_end(folder: Folder, at: Place, end: Exit) -> None:
    """Write the journal's end, as far as the exit status and the log tell it."""
    place = str(at.batch_folder / at.run.arm.script)
    fields = ending.of(end.status, _end_of_log(folder), place, cell_lines(at))
    if fields is None:
        return
    cells = folder.open(paths.CELLS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        journal.Journal(cells).write("end", **fields)
    finally:
        os.close(cells)


def _end_of_log(folder: Folder) -> str:
    try:
        fd = folder.open(paths.LOG, os.O_RDONLY)
    except FileNotFoundError:  # the user may have removed it; how it ended is known all the same
        return ""
    try:
        log = os.pread(fd, ending.TAIL, max(0, os.fstat(fd).st_size - ending.TAIL))
    finally:
        os.close(fd)
    return log.decode("utf-8", "replace")
