"""The messages between a supervisor, its template and the template's forks: JSON, one a packet."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import zlib
from typing import TYPE_CHECKING, Any, Mapping, Sequence

if TYPE_CHECKING:
    Json = dict[str, Any]

_LARGEST = 1 << 20
_SHORT = 1 << 15  # bytes; some ten thousand names of modules are more than a packet may be
_MOST_FILES = 253  # the kernel's limit


def send(to: socket.socket, **message: Any) -> bool:
    """Send one; whether somebody is there, which is noticed by reading too."""
    try:
        to.send(encode(message))
    except OSError:
        return False
    return True


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
    return decode(data)


def encode(message: Mapping[str, Any]) -> bytes:
    """The message as a packet, which has room for 200 KB."""
    data = json.dumps(message).encode()
    return data if len(data) < _SHORT else zlib.compress(data)


def decode(data: bytes) -> Json:
    """The opposite."""
    message: Json = json.loads(data if data.startswith(b"{") else zlib.decompress(data))
    return message
