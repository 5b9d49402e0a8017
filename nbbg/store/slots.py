"""Slots: how many runs of a user are at work at once on this machine, and on each of its GPUs.

A slot is a file in a folder of the user's own, and whoever holds its lock has it: the runner, and
the engine that inherits the lock. So it is free when both are dead, and nobody has to clean up.
What the file says (whose it is, what memory was asked for) counts only as long as it is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from nbbg import files, gpus
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault
from nbbg.store import locks, shared
from nbbg.store.rooms import Holder, room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nbbg import model

_SLOTS = ("machine-", "gpu-")  # how their names begin
_PADDED = 256  # bytes, so that nobody reads half of an earlier holder's


@dataclass(frozen=True)
class Seat:
    """The slots that a run has; none where it needs none."""

    held: tuple[int, ...] = ()  # descriptors
    names: tuple[str, ...] = ()
    gpu: str = ""  # as CUDA_VISIBLE_DEVICES names it

    def leave(self) -> None:
        """Let go of them in this process; what has inherited them keeps them."""
        for fd in self.held:
            with contextlib.suppress(OSError):
                os.close(fd)


class Slots:
    """The slots that the runs of one batch can have.

    Args:
        batch: whose limits hold.
        environment: of the runs; it tells where the user's folder is.

    Raises:
        EnvironmentFault: there is no place for the slots.
    """

    def __init__(self, batch: model.Batch, environment: Mapping[str, str]) -> None:
        self.folder = files.Folder(shared.folder(environment))
        self._machine = [f"machine-{n}" for n in range(batch.machine_jobs)]
        self._gpus = batch.gpus
        self._batch = f"{batch.id}, {batch.created_at}"  # wherever its project is moved to
        self._per_gpu, self._wants = batch.per_gpu, batch.gpu_free

    def close(self) -> None:
        """Close the folder."""
        self.folder.close()

    def free(self) -> int:
        """How many runs of the batch could have theirs now.

        Raises:
            EnvironmentFault: the GPUs can't be asked.
        """
        machine = [self._count_free(self._machine)] if self._machine else []
        on_gpus = [sum(self._room(key) for key in self._gpus.values())] if self._gpus else []
        return min([*machine, *on_gpus])

    def take(self, marker: str) -> Seat | None:
        """The slots that one run needs, all or none; None where they are not free.

        Args:
            marker: of the run's environment.

        Raises:
            EnvironmentFault: the GPUs can't be asked.
        """
        gpu, on_gpu = self._take_gpu(marker) if self._gpus else ("", None)
        if self._gpus and not on_gpu:
            return None
        machine = self._take_one(self._machine, marker) if self._machine else None
        taken = [each for each in (machine, on_gpu) if each]
        held = (self._keep_folder(), *(fd for _, fd in taken))
        seat = Seat(held, tuple(name for name, _ in taken), gpu)
        if self._machine and not machine:
            seat.leave()
            return None
        return seat

    def at_work(self) -> int:
        """How many runs of the batch have theirs."""
        names = [name for name in os.listdir(self.folder.fd) if name.startswith(_SLOTS)]
        holders = [holder for name in names if (holder := self._holder(name))]
        return len({each.marker for each in holders if each.batch == self._batch})

    def missing(self) -> str:
        """What there is none of now, for a person.

        Raises:
            EnvironmentFault: there never will be.
        """
        if self._machine and not self._count_free(self._machine):
            return f"a slot: this machine has {len(self._machine)}"
        names = ", ".join(self._gpus)
        if self._wants and not any(gpus.use(key) for key in self._gpus.values()):
            raise EnvironmentFault(f"there is no GPU {names} any more\nsee: nvidia-smi")
        memory = f" with {self._wants / 2**30:.3g} GiB free" if self._wants else ""
        return f"a slot of GPU {names}{memory}" if names else "a slot"

    def _take_one(self, names: Iterable[str], marker: str) -> tuple[str, int] | None:
        for name in names:
            fd = self.folder.open(name, os.O_RDWR | os.O_CREAT)
            if locks.take(fd):
                mine = {"marker": marker, "wants": self._wants, "batch": self._batch}
                record = {**mine, "pid": os.getpid()}
                os.pwrite(fd, files.to_json(record).ljust(_PADDED), 0)
                return name, fd
            os.close(fd)
        return None

    def _take_gpu(self, marker: str) -> tuple[str, tuple[str, int] | None]:
        """A slot of the GPU that has most of them free, in the order given."""
        free = {name: self._count_free(self._of_gpu(key)) for name, key in self._gpus.items()}
        for name in sorted(free, key=lambda name: -free[name]):
            key = self._gpus[name]
            with self._alone(key) as alone:
                if alone and self._room(key):
                    taken = self._take_one(self._of_gpu(key), marker)
                    if taken:
                        return name, taken
        return "", None

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
        """Whether nobody else chooses that GPU between our look at its memory and the taking."""
        if not self._wants:
            yield True
            return
        fd = self.folder.open(shared.file_name("choosing", key), os.O_RDWR | os.O_CREAT)
        try:
            yield locks.take(fd)
        finally:
            os.close(fd)

    def _room(self, key: str) -> int:
        """For how many more runs there are slots, and memory if that was asked for, on a GPU."""
        names = self._of_gpu(key)
        free = self._count_free(names)
        if not self._wants or not free:
            return free
        use = gpus.use(key)
        holders = [holder for name in self._all_of_gpu(key) if (holder := self._holder(name))]
        return min(free, room(use, holders, self._wants)) if use else 0

    def _of_gpu(self, key: str) -> Sequence[str]:
        return [shared.file_name("gpu", key, n) for n in range(self._per_gpu)]

    def _all_of_gpu(self, key: str) -> list[str]:
        """Those of other batches too, which may have more on it."""
        prefix = shared.file_name("gpu", key, "")
        return [name for name in os.listdir(self.folder.fd) if name.startswith(prefix)]

    def _count_free(self, names: Iterable[str]) -> int:
        return sum(self._holder(name) is None for name in names)

    def _holder(self, name: str) -> Holder | None:
        try:
            fd = self.folder.open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            if not locks.is_held(fd):
                return None
            return self._read_holder(os.pread(fd, _PADDED, 0))
        finally:
            os.close(fd)

    def _read_holder(self, data: bytes) -> Holder:
        """What a slot's file says; one that says nothing yet wants what we want."""
        try:
            record = files.from_json(data)
            batch = str(record.get("batch", ""))
            return Holder(str(record["marker"]), int(record["wants"]), batch)
        except (ValueError, KeyError, TypeError):
            return Holder("", self._wants)

    def _keep_folder(self) -> int:
        """A lock against the cleaners of /tmp, which leave a folder with a flock as it is."""
        fd = os.open(self.folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return fd


def needed(batch: model.Batch) -> bool:
    """Whether the runs of a batch need slots."""
    return bool(batch.machine_jobs or batch.gpus)
