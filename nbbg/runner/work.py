"""What a runner knows of its attempt, and how the engine's process ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg import model


@dataclass(frozen=True)
class Work:
    """What the attempt is about."""

    batch_folder: Path
    batch: model.Batch
    run: model.Run
    environment: dict[str, str]
    marker: str
    lock: int  # descriptor
    decided_at: float  # when it was decided to start it, seconds since the epoch


@dataclass(frozen=True)
class Exit:
    """How the engine's process ended."""

    status: int  # negative: a signal
    at: float  # when it was seen, seconds since the epoch
    max_rss: int = 0  # bytes
    cpu_seconds: float = 0.0
    out_of_memory: bool = False
