"""Secrets in what Python writes and shows, replaced by `*` before anything is recorded."""

from __future__ import annotations

import binascii
from typing import Any, Mapping

from nbbg import secrets


class Hidden:
    """The secret values of this process's environment, as of the last `refresh`."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._encoded: list[bytes] = []
        self.refresh()

    def refresh(self) -> None:
        """Look again: a cell may have loaded a `.env`."""
        self.values = secrets.values()
        self._encoded = [value.encode("utf-8", "surrogateescape") for value in self.values]

    def in_bytes(self, data: bytes) -> bytes:
        """What a stream is about to write, masked."""
        if not any(value in data for value in self._encoded):
            return data
        text = data.decode("utf-8", "surrogateescape")
        return secrets.mask(text, self.values).encode("utf-8", "surrogateescape")

    def in_json(self, value: Any) -> Any:
        """An output as plain JSON, masked: bytes as base64, what JSON can't hold as its text."""
        if isinstance(value, str):
            return secrets.mask(value, self.values)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (bytes, bytearray)):
            return binascii.b2a_base64(value, newline=False).decode("ascii")
        if isinstance(value, Mapping):
            return {self.in_json(str(key)): self.in_json(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.in_json(each) for each in value]
        if hasattr(value, "tolist"):  # numpy's scalars and arrays
            return self.in_json(value.tolist())
        return secrets.mask(str(value), self.values)
