"""What a Jupyter kernel shows, put into the log and the journal of an attempt.

It takes the kernel's own messages, so it serves in both places: inside a Python kernel, where it
writes at the very instant, and in the `kernel` engine for kernels of other languages.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import Any

from nbbg import files, journal, paths, secrets

APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
SHOWS = frozenset({"display_data", "execute_result", "error"})
LIVE_ONLY = "application/vnd.jupyter.widget-view+json"  # a widget without its kernel
TAKES = SHOWS | {"stream", "update_display_data", "clear_output"}


class Recorder:
    """The writing side of an attempt's log and journal.

    Args:
        attempt: the folder of the attempt.
    """

    def __init__(self, attempt: str) -> None:
        with files.Folder(attempt) as folder:
            self.log = folder.open(paths.LOG, APPEND)
            self.journal = journal.Journal(folder.open(paths.CELLS, APPEND))
        self._writing = threading.RLock()
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Look again for secrets: a cell may have loaded a `.env`."""
        self.hidden = secrets.values()

    def size(self) -> int:
        """Where in the log what comes now stands."""
        return os.fstat(self.log).st_size

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Record one message of a kernel's; what shows nothing, or is malformed, is ignored."""
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            self._take(kind, content)

    def text(self, name: str, text: str) -> None:
        """Append what the stream `name` printed; a full disk does not raise into a `print`."""
        data = self.encoded(text)
        with self._writing, contextlib.suppress(OSError):
            files.write_all(self.log, data)
            if data and name != "stdout":  # which is all of the log that is not named
                end = os.lseek(self.log, 0, os.SEEK_CUR)
                self.journal.write("stream", name=name, log=[end - len(data), end])

    def encoded(self, text: str) -> bytes:
        """As it is written: without secrets."""
        return secrets.mask(text, self.hidden).encode("utf-8", "replace")

    def masked(self, value: Any) -> Any:
        """The same value with every secret masked."""
        if not self.hidden:
            return value
        if isinstance(value, str):
            return secrets.mask(value, self.hidden)
        if isinstance(value, dict):
            return {name: self.masked(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.masked(item) for item in value]
        return value

    def _take(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self.text(content["name"], content["text"])
        elif kind in SHOWS:
            self._show(kind, content)
        elif kind == "update_display_data":
            shown = {name: _settled(content)[name] for name in ("data", "metadata")}
            self._write("update", display_id=_display_id(content), **self.masked(shown))
        elif kind == "clear_output":
            self.journal.write("clear", wait=bool(content.get("wait")), log=self.size())

    def _show(self, kind: str, content: dict[str, Any]) -> None:
        output = self.masked({"output_type": kind, **_settled(content)})
        self._write("display", output=output, display_id=_display_id(content), log=self.size())

    def _write(self, event: str, **fields: Any) -> None:
        try:
            self.journal.write(event, **fields)
        except TypeError:  # a kernel packs dates and the like as text
            fields = json.loads(json.dumps(fields, default=str))
            self.journal.write(event, **fields)


def _display_id(content: dict[str, Any]) -> str | None:
    return (content.get("transient") or {}).get("display_id")


def _settled(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a display without what has a meaning for a live page alone."""
    kept = {name: value for name, value in content.items() if name != "transient"}
    if "data" in kept:
        kept["data"] = {kind: item for kind, item in kept["data"].items() if kind != LIVE_ONLY}
        kept["metadata"] = kept.get("metadata") or {}
    return kept
