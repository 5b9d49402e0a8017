"""Secrets in what Python writes and shows, replaced by `*` before anything is recorded."""

from __future__ import annotations

import binascii
import os
from typing import Any, Callable, Mapping

from nbbg import secrets


class Hidden:
    """The secrets of this process's environment, also those that a cell puts into it.

    Attributes:
        values: what must not be seen, longest first.
        encoded: the same as bytes.
        beginnings: by which a secret that comes in pieces is found.
    """

    def __init__(self) -> None:
        self._stale = True
        self._look()

    def watch(self) -> Callable[[], None]:
        """Notice from now on what is put into `os.environ`; call what it returns to leave off."""
        encode: Any = os.environ.encodevalue

        def noticing(value: str) -> Any:
            self._stale = True
            return encode(value)

        def leave_off() -> None:
            os.environ.encodevalue = encode

        os.environ.encodevalue = noticing
        return leave_off

    def may_be_in(self, data: bytes) -> bool:
        """Whether there is anything to mask, or to watch, in what a stream is about to write."""
        if self._stale:
            self._look()
        return self.beginnings.may_be_in(data)

    def in_bytes(self, data: bytes) -> bytes:
        """What a stream is about to write, masked; as long as it was."""
        return secrets.mask_bytes(data, self.encoded)

    def in_pickle(self, data: bytes) -> bytes:
        """A pickle, masked: a text keeps its length; one of NumPy has four bytes a character."""
        data = self.in_bytes(data)
        for value in self.values:
            text, mask = value.encode("utf-32-le", "replace"), "*" * len(value)
            data = data.replace(text, mask.encode("utf-32-le"))
        return data

    def in_json(self, value: Any) -> Any:
        """An output as plain JSON, masked: bytes as base64, what JSON can't hold as its text."""
        if self._stale:
            self._look()
        return self._in_json(value)

    def _look(self) -> None:
        self._stale = False
        self.values = secrets.values()
        self.encoded = secrets.encoded(self.values)
        self.beginnings = secrets.Beginnings(self.encoded)

    def _in_json(self, value: Any) -> Any:
        if isinstance(value, str):
            return secrets.mask(value, self.values)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (bytes, bytearray)):
            return binascii.b2a_base64(value, newline=False).decode("ascii")
        if isinstance(value, Mapping):
            return {self._in_json(str(key)): self._in_json(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._in_json(each) for each in value]
        if hasattr(value, "tolist"):  # numpy's scalars and arrays
            return self._in_json(value.tolist())
        return secrets.mask(str(value), self.values)
