"""The messages between a supervisor, its template and the template's forks: JSON, one a packet."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    Json = dict[str, Any]

_LARGEST = 1 << 20
_MOST_FILES = 253  # the kernel's limit


def send(to: socket.socket, **message: Any) -> None:
    """Send one; nothing, where nobody is there."""
    with contextlib.suppress(OSError):  # it is gone, which is noticed by reading
        to.send(json.dumps(message).encode())


def send_files(to: socket.socket, files: Sequence[int], message: Json) -> None:
    """Send one with descriptors of open files."""
    with contextlib.suppress(OSError):
        socket.send_fds(to, [json.dumps(message).encode()], files)


def receive_files(source: socket.socket) -> tuple[Json, list[int]]:
    """The next one with its descriptors; the end of this process, where nobody is there."""
    data, files, _, _ = socket.recv_fds(source, _LARGEST, _MOST_FILES)
    if not data:
        os._exit(0)
    message: Json = json.loads(data)
    return message, files


def receive(source: socket.socket, otherwise: Any = None) -> Json:
    """The next one; where nobody is there, what `otherwise` gives, or the end of this process."""
    try:
        data = source.recv(_LARGEST)
    except OSError:
        data = b""
    if not data:
        found: Json = (otherwise or (lambda: os._exit(0)))()
        return found
    message: Json = json.loads(data)
    return message
