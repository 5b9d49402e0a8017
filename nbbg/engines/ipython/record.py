"""What the engine tells the journal: each event with the size of the log at that instant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping

from nbbg import files, paths
from nbbg.journal import Journal

if TYPE_CHECKING:
    from nbbg.engines.ipython.hidden import Hidden

_LIVE_ONLY = "application/vnd.jupyter.widget-view+json"  # a widget without its kernel


class Record:
    """The engine's side of `cells.jsonl`; `silent` in a forked child, where it is the parent's."""

    def __init__(self, folder: files.Folder, hidden: Hidden, *, echo: bool = False) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.hidden = hidden
        self._echo = echo
        self.silent = False
        self.journal = Journal(folder.open(paths.CELLS, flags))
        self._log = folder.open(paths.LOG, os.O_RDONLY | os.O_CREAT)

    def close(self) -> None:
        """Close both files; what is still told goes nowhere."""
        handle, self.journal.fd = self.journal.fd, -1
        self.silent = True
        os.close(handle)
        os.close(self._log)

    def event(self, kind: str, **fields: Any) -> None:
        """Append one event."""
        if not self.silent:
            self.journal.write(kind, **fields, log=os.fstat(self._log).st_size)

    def display(
        self, kind: str, bundle: Mapping[str, Any], display_id: str | None = None, **more: Any
    ) -> None:
        """An `execute_result` or a `display_data` where the log stands now."""
        output = {"output_type": kind, **self._bundle(bundle), **more}
        self.event("display", output=output, display_id=display_id)
        self._show(str(output["data"].get("text/plain", "")))

    def update(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Another content for what was shown under that id."""
        self.event("update", display_id=display_id, **self._bundle(bundle))

    def error(self, error: BaseException, traceback: list[str]) -> None:
        """An exception that was shown."""
        name, value = type(error).__name__, text_of(error)
        output = {"output_type": "error", "ename": name, "evalue": value, "traceback": traceback}
        self.event("display", output=self.hidden.in_json(output), display_id=None)
        self._show("\n".join(traceback))

    def _show(self, text: str) -> None:
        """To someone who watches; a stream shows itself."""
        if self._echo:
            files.write_all(1, f"{text}\n".encode("utf-8", "backslashreplace"))

    def _bundle(self, bundle: Mapping[str, Any]) -> dict[str, Any]:
        data = {mime: value for mime, value in bundle["data"].items() if mime != _LIVE_ONLY}
        found = {"data": data, "metadata": bundle["metadata"] or {}}
        return {name: self.hidden.in_json(value) for name, value in found.items()}


def text_of(error: BaseException) -> str:
    """What an exception says."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the notebook's own __str__ may do anything
        return "its text can't be made"
