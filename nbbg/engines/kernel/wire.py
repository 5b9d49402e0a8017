"""Jupyter's messages over ZeroMQ, version 5 of the protocol: packed, signed, read.

jupyter_client does the same, but its import costs each run more than what the run then needs of it;
it stays what starts the kernels of other languages. Serves asyncio and blocking code alike: the
sockets are of whichever context is given.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from typing import Any

import zmq

RECONNECT = 5  # milliseconds between two looks whether the kernel listens; 100 unless set
_DELIMITER = b"<IDS|MSG>"
_KINDS = {"shell": zmq.DEALER, "control": zmq.DEALER, "iopub": zmq.SUB}


class Wire:
    """The connection to one kernel.

    Args:
        connection: its connection file.
        context: its own, which makes the sockets: `zmq.Context()` or `zmq.asyncio.Context()`.
        keep: how many messages may wait to be read before more are dropped; 0: no limit.

    Attributes:
        session: tells our requests, and what comes of them, from those of others.

    Raises:
        OSError, ValueError, KeyError: there is no such file.
    """

    def __init__(self, connection: str, context: zmq.Context[Any], keep: int = 0) -> None:
        with open(connection, "rb") as file:
            said = json.load(file)
        joint = "-" if said["transport"] == "ipc" else ":"
        self._address = f"{said['transport']}://{said['ip']}{joint}"
        self._ports = {name: said[f"{name}_port"] for name in _KINDS}
        self._key = said.get("key", "").encode()
        self._digest = said.get("signature_scheme", "hmac-sha256").partition("-")[2]
        self._context = context
        self._keep = keep
        self._sockets: dict[str, Any] = {}
        self._count = 0
        self.session = os.urandom(16).hex()

    def socket(self, channel: str) -> Any:
        """The socket of a channel, connected when it is first asked for."""
        if channel not in self._sockets:
            made = self._context.socket(_KINDS[channel])
            made.linger = 0
            made.rcvhwm = self._keep
            made.reconnect_ivl = RECONNECT
            if channel == "iopub":
                made.subscribe(b"")
            else:
                made.routing_id = self.session.encode()
            made.connect(f"{self._address}{self._ports[channel]}")
            self._sockets[channel] = made
        return self._sockets[channel]

    def monitor(self, channel: str, events: int) -> Any:
        """A socket that tells of events at the socket of a channel."""
        made = self._sockets["monitor"] = self.socket(channel).get_monitor_socket(events)
        return made

    def packed(self, kind: str, content: dict[str, Any], subshell: str = "") -> list[bytes]:
        """The frames of a request; its id is `sent`."""
        self._count += 1
        header = {
            "msg_id": self.sent,
            "msg_type": kind,
            "session": self.session,
            "username": "nbbg",
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": "5.3",
            **({"subshell_id": subshell} if subshell else {}),
        }
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        return [_DELIMITER, self._signature(parts), *parts]

    @property
    def sent(self) -> str:
        """The id of the request that was packed last."""
        return f"{self.session}_{self._count}"

    def unpacked(self, frames: list[bytes]) -> dict[str, Any] | None:
        """A message's kind, parent (its request's header) and content; None where not genuine."""
        try:
            at = frames.index(_DELIMITER)
            signature, *parts = frames[at + 1 : at + 6]
            if not hmac.compare_digest(signature, self._signature(parts)):
                return None
            header, parent, _, content = (json.loads(part) for part in parts)
        except ValueError:
            return None
        return {"kind": header["msg_type"], "parent": parent, "content": content}

    def close(self) -> None:
        """Close the sockets, and the context."""
        for each in self._sockets.values():
            each.close()
        self._context.term()

    def _signature(self, parts: list[bytes]) -> bytes:
        if not self._key:
            return b""
        made = hmac.new(self._key, b"".join(parts), getattr(hashlib, self._digest))
        return made.hexdigest().encode()
