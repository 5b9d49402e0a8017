"""What the engine tells the journal: each event with the size of the log at that instant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping

from nbbg import paths
from nbbg.journal import Journal

if TYPE_CHECKING:
    from nbbg import files
    from nbbg.engines.ipython.hidden import Hidden

_LIVE_ONLY = "application/vnd.jupyter.widget-view+json"  # a widget without its kernel


class Record:
    """The engine's side of `cells.jsonl`; silent in a forked child, where it is the parent's."""

    def __init__(self, folder: files.Folder, hidden: Hidden) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.hidden = hidden
        self.forked = False  # or closed
        self.journal = Journal(folder.open(paths.CELLS, flags))
        self._log = folder.open(paths.LOG, os.O_RDONLY | os.O_CREAT)

    def close(self) -> None:
        """Close both files; what is still told goes nowhere."""
        handle, self.journal.fd = self.journal.fd, -1
        self.forked = True
        os.close(handle)
        os.close(self._log)

    def event(self, kind: str, **fields: Any) -> None:
        """Append one event."""
        if not self.forked:
            self.journal.write(kind, **fields, log=os.fstat(self._log).st_size)

    def display(
        self, kind: str, bundle: Mapping[str, Any], display_id: str | None = None, **more: Any
    ) -> None:
        """An `execute_result` or a `display_data` where the log stands now."""
        output = {"output_type": kind, **self._bundle(bundle), **more}
        self.event("display", output=output, display_id=display_id)

    def update(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Another content for what was shown under that id."""
        self.event("update", display_id=display_id, **self._bundle(bundle))

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """An exception that was shown."""
        output = {"output_type": "error", "ename": name, "evalue": value, "traceback": traceback}
        self.event("display", output=self.hidden.in_json(output), display_id=None)

    def _bundle(self, bundle: Mapping[str, Any]) -> dict[str, Any]:
        data = {mime: value for mime, value in bundle["data"].items() if mime != _LIVE_ONLY}
        found = {"data": data, "metadata": bundle["metadata"] or {}}
        return {name: self.hidden.in_json(value) for name, value in found.items()}
