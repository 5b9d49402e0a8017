"""The writing side of an attempt's log and journal, the same for every engine.

The `ipython` engine tells it what its shell shows. For a Jupyter kernel it takes the kernel's own
messages: inside a Python kernel, where it writes at the very instant, and in the `kernel` engine
for kernels of other languages.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any, Mapping

from nbbg import files, paths, secrets
from nbbg.inside.hidden import Hidden
from nbbg.inside.streams import ERR, OUT, LogWriter
from nbbg.journal import END, Journal

if TYPE_CHECKING:
    from typing import Sequence

LIVE_ONLY = "application/vnd.jupyter.widget-view+json"  # a widget without its kernel
TAKES = frozenset(
    {
        "stream",
        "display_data",
        "execute_result",
        "update_display_data",
        "clear_output",
        "error",
    }
)
_SCRAPS = ("application/scrapbook.", "application/papermill.")
_CELL_IS_OVER = ("cell_end", END)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Recorder:
    """Appends to `log.txt` and `cells.jsonl`.

    Args:
        folder: of the attempt.
        echo: whether to show everything to someone who watches, too.
        streams: the two streams, where they were made before there was a log.

    Attributes:
        silent: whether nothing is journalled, as in a forked child: the journal is its parent's.
        hidden: the secrets, which are masked in all that is recorded.
        out, err: the two streams.
    """

    def __init__(
        self,
        folder: files.Folder,
        *,
        echo: bool = False,
        streams: Sequence[LogWriter] = (),
    ) -> None:
        self.hidden = Hidden()
        self._stop_watching = self.hidden.watch()
        self.silent = False
        self.journal = Journal(folder.open(paths.CELLS, _APPEND))
        self._echo = echo
        out, err = folder.open(paths.LOG, _APPEND), folder.open(paths.LOG, _APPEND)
        self._log = folder.open(paths.LOG, os.O_RDWR)  # to overwrite: what appends, only appends
        self.out, self.err = streams or unconnected()
        self.out.connect(out, self._log, self.hidden, echo=echo)
        self.err.connect(err, self._log, self.hidden, self.journal, echo=echo)
        self._searched = self.size()  # of the log: up to there nothing is left to be hidden
        self._foreign = self._searched

    def close(self) -> None:
        """Close all files; what is still told goes nowhere."""
        self._stop_watching()
        handle, self.journal.fd = self.journal.fd, -1
        self.silent = True
        os.close(handle)
        self.out.release()
        self.err.release()
        os.close(self._log)

    def in_forked_child(self) -> None:
        """The child writes to the log plainly; the journal is the parent's."""
        self.silent = True
        self.out.in_forked_child()
        self.err.in_forked_child()

    def size(self) -> int:
        """Where in the log what comes now stands."""
        return os.fstat(self._log).st_size

    def event(self, kind: str, **fields: Any) -> None:
        """Append one event, with the size of the log at this instant."""
        if self.silent:
            return
        if kind in _CELL_IS_OVER:
            self.hide_foreign()
        if kind == END and (lost := self.out.lost + self.err.lost):
            fields["lost"] = lost
        self.journal.write(kind, **self.hidden.in_json(fields), log=self.size())

    def display(
        self, kind: str, bundle: Mapping[str, Any], display_id: str | None = None, **more: Any
    ) -> None:
        """An `execute_result` or a `display_data` where the log stands now."""
        output = {"output_type": kind, **_settled(bundle), **more}
        self.event("display", output=output, display_id=display_id)
        self._take_scraps(output["data"])
        self._show(output["data"].get("text/plain", ""))

    def update(self, display_id: str | None, bundle: Mapping[str, Any]) -> None:
        """Another content for what was shown under that id."""
        self.event("update", display_id=display_id, **_settled(bundle))

    def error(self, error: BaseException, traceback: Sequence[str]) -> None:
        """An exception that was shown."""
        self._error(type(error).__name__, text_of(error), traceback)

    def text(self, name: str, text: str) -> None:
        """Append what the stream `name` printed."""
        writer = self.err if name == "stderr" else self.out
        writer.write(text.encode("utf-8", "backslashreplace"))

    def take(self, kind: str, content: Mapping[str, Any]) -> None:
        """Record one message of a kernel's; what shows nothing, or is malformed, is ignored."""
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            self._take(kind, content)

    def masked(self, value: Any) -> Any:
        """The same value as plain JSON, every secret masked."""
        return self.hidden.in_json(value)

    def hide_foreign(self) -> None:
        """Overwrite the secrets that C code or children have put into the log since the last time.

        What the streams wrote themselves is without any; where they alone wrote, nothing is read.
        """
        size = self.size()
        foreign = size - self.out.written - self.err.written
        if foreign != self._foreign and self.hidden.encoded:
            start = max(0, self._searched - self.hidden.beginnings.longest)
            with contextlib.suppress(OSError):
                secrets.overwrite(self._log, self.hidden.encoded, start, size)
        self._searched, self._foreign = size, foreign

    def _take(self, kind: str, content: Mapping[str, Any]) -> None:
        display_id = (content.get("transient") or {}).get("display_id")
        if kind == "stream":
            self.text(content["name"], content["text"])
        elif kind == "display_data":
            self.display(kind, content, display_id)
        elif kind == "execute_result":
            self.display(kind, content, display_id, execution_count=content["execution_count"])
        elif kind == "update_display_data":
            self.update(display_id, content)
        elif kind == "clear_output":
            self.event("clear", wait=bool(content.get("wait")))
        elif kind == "error":
            self._error(content["ename"], content["evalue"], content["traceback"])

    def _take_scraps(self, data: Mapping[str, Any]) -> None:
        """Metrics that come as an output: scrapbook's and papermill's."""
        if not self.silent and any(str(mime).startswith(_SCRAPS) for mime in data):
            from nbbg.inside import scraps

            scraps.record(self.masked(data))

    def _error(self, name: str, value: str, traceback: Sequence[str]) -> None:
        output = {"output_type": "error", "ename": name, "evalue": value, "traceback": traceback}
        self.event("display", output=output, display_id=None)
        self._show("\n".join(traceback))

    def _show(self, text: Any) -> None:
        """To someone who watches; a stream shows itself."""
        if self._echo:
            shown = f"{self.hidden.in_json(text)}\n"
            if os.environ.get("NO_COLOR") or not os.isatty(1):
                shown = _COLOUR.sub("", shown)
            with contextlib.suppress(OSError):
                files.write_all(1, shown.encode("utf-8", "backslashreplace"))


def unconnected() -> tuple[LogWriter, LogWriter]:
    """The two streams before there is a log: what is written goes to the file descriptors."""
    hidden = Hidden()
    return LogWriter(OUT, -1, OUT, hidden), LogWriter(ERR, -1, ERR, hidden)


def _settled(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown, without what has a meaning for a live page alone."""
    data = {mime: value for mime, value in bundle["data"].items() if mime != LIVE_ONLY}
    return {"data": data, "metadata": bundle.get("metadata") or {}}


def text_of(error: BaseException) -> str:
    """What an exception says."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the notebook's own __str__ may do anything
        return "its text can't be made"
