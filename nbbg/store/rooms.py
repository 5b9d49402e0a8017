"""How many more runs have room in the memory of a GPU, for `--gpu-free`. Pure but for /proc.

Each run that holds a slot has room for what it asked for, whether it uses it yet or not, so that
runs that start together do not count on the same memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import process
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbg.gpus import Use


@dataclass(frozen=True)
class Holder:
    """A run that holds a slot of the GPU."""

    marker: str  # of its environment
    wants: int  # bytes
    batch: str = ""  # as its slots know it


def room(use: Use, holders: Sequence[Holder], wants: int) -> int:
    """For how many more runs that want so many bytes there is room; none beside a stranger.

    A process is a run's when it has the run's marker, or any other run's of nbbg. What can't be
    seen from here (in a container NVML tells foreign pids) is a stranger's where no run holds a
    slot, else taken for one of theirs.
    """
    used: dict[str, int] = {}
    for pid, size in use.processes:
        marker = process.marker(pid)
        if marker == "" or (marker is None and not holders):
            return 0
        used[marker or ""] = used.get(marker or "", 0) + size
    unused = sum(max(0, each.wants - used.get(each.marker, 0)) for each in holders)
    reserved = max(0, unused - used.get("", 0))
    return max(0, use.free - reserved) // max(1, wants)
