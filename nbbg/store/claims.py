"""The claim of an attempt, as the process that writes it knows itself."""

from __future__ import annotations

import os
import time

from nbbg import model, process


def mine(
    marker: str = "", lock: int | None = None, gpu: str = "", slots: tuple[str, ...] = ()
) -> model.Claim:
    """What this process claims with.

    Args:
        marker: which all processes of the attempt have in their environment.
        lock: the descriptor of the attempt's lock; None where nothing is going to live.
        gpu: as CUDA_VISIBLE_DEVICES names it.
        slots: that are held.
    """
    me = process.identity(os.getpid())
    assert me is not None  # noqa: S101 - this process lives
    status = None if lock is None else os.fstat(lock)
    return model.Claim(
        runner=me,
        host=process.host(),
        machine=process.machine(),
        boot=process.boot_id(),
        namespace=process.pid_namespace(),
        lock_device=status.st_dev if status else 0,
        lock_inode=status.st_ino if status else 0,
        marker=marker,
        at=time.time(),
        up=process.up(),
        gpu=gpu,
        slots=slots,
    )
