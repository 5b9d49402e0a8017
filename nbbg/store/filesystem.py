"""Which file system a folder lies on, and whether that is a network's: no trust in locks there.

The type decides. What the table does not know, a person can say: the setting `network_file_system`
is about the store, and reaches other processes in the environment.
"""

from __future__ import annotations

import functools
import os

VARIABLE = "NBBG_NETWORK_FILE_SYSTEM"  # of the setting
YES, NO, AUTO = "true", "false", "auto"
NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "davfs", "drvfs", "ncpfs", "coda"),
        *("lustre", "gpfs", "beegfs", "ceph", "glusterfs", "panfs", "pvfs2", "wekafs", "gfs2"),
        *("ocfs2", "vboxsf", "prl_fs", "virtiofs", "fuse.vmhgfs-fuse", "fuse.sshfs"),
        *("fuse.glusterfs", "fuse.ceph-fuse", "fuse.ceph", "fuse.mfs", "fuse.juicefs"),
        *("fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.goofys", "fuse.blobfuse2"),
    )
)
_said: dict[str, str] = {}  # store -> yes or no


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


def type_of(path: str | os.PathLike[str]) -> str:
    """The type of the file system of that existing path, such as `ext4`; empty: not known."""
    device = os.stat(path).st_dev
    return _type_on_device(f"{os.major(device)}:{os.minor(device)}")


def is_network(path: str | os.PathLike[str]) -> bool:
    """Whether that existing path lies on a network file system, by its type."""
    return type_of(path) in NETWORK


def say(store: str | os.PathLike[str], answer: str) -> None:
    """What the setting says about a store, to this process; `auto`: the type decides."""
    _said[os.path.realpath(store)] = answer


def holds_off(path: str | os.PathLike[str]) -> bool:
    """Whether locks and SQLite are not to be trusted at a place in a store."""
    said = os.environ.get(VARIABLE, AUTO)
    if _said:
        place = os.path.realpath(path) + os.sep
        answers = (answer for store, answer in _said.items() if place.startswith(store + os.sep))
        said = next(answers, said)
    return is_network(path) if said not in (YES, NO) else said == YES
