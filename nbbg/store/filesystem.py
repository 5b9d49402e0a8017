"""Whether a folder lies on a network file system, where locks and SQLite's WAL can't be trusted."""

from __future__ import annotations

import functools
import os

NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p"),
        *("lustre", "gpfs", "beegfs", "ceph", "glusterfs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse"),
        *("fuse.s3fs", "fuse.rclone", "fuse.juicefs"),
    )
)


@functools.lru_cache(maxsize=16)
def _type_on_device(device: str) -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                if before.split()[2] == device:
                    return after.split()[0]
    except OSError:
        pass
    return ""


def is_network(path: str | os.PathLike[str]) -> bool:
    """Whether that existing path lies on a network file system."""
    device = os.stat(path).st_dev
    return _type_on_device(f"{os.major(device)}:{os.minor(device)}") in NETWORK
