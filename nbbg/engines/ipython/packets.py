"""The messages between a supervisor, its template and the template's forks: JSON, one a packet."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    Json = dict[str, Any]

_LARGEST = 1 << 20


def send(to: socket.socket, **message: Any) -> None:
    """Send one; nothing, where nobody is there."""
    with contextlib.suppress(OSError):  # it is gone, which is noticed by reading
        to.send(json.dumps(message).encode())


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
