"""The one place where files that matter are written: beside, fsynced, put in place, folder fsynced.

A `Folder` is an open descriptor, and every file is named relative to it, so a long-lived
process keeps writing to the right place when the project is moved. This module also runs in the
user's own interpreter (see ARCHITECTURE.md, "The guest"): standard library, Python 3.8.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
from typing import TYPE_CHECKING, Any

from nbbg import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

FILE_MODE = 0o600
FULL = (errno.ENOSPC, errno.EDQUOT)
FOLDER_MODE = 0o700
OTHERS_WRITE = 0o022
AT_ONCE = 4  # files that are made durable together; more cost more than they gain
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_NOREPLACE = 1


def is_full(error: BaseException) -> bool:
    """Whether something could not be written for want of space, or of quota."""
    return isinstance(error, OSError) and error.errno in FULL


class Folder:
    """An open folder; all names are relative to it.

    Args:
        path: the folder, which must exist.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: as `os.open` does.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Folder:  # noqa: PYI034 - Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def where(self) -> str:
        """Its path now, also after it was moved."""
        try:
            return os.readlink(f"/proc/self/fd/{self.fd}")
        except OSError:
            return self.path

    def close(self) -> None:
        """Close the descriptor; closing twice is harmless."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def open(self, name: str, flags: int) -> int:
        """Return a descriptor of `name`, made with mode 0600 where `flags` say so.

        A link is not followed: no record is one.
        """
        try:
            fd = _open(name, flags | os.O_NOFOLLOW, self.fd)
        except OSError as error:
            if error.errno != errno.ENOENT:  # which is asked for all the time
                error.filename = os.path.join(self.where(), name)
            raise
        if not flags & (os.O_WRONLY | os.O_RDWR) and stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            raise IsADirectoryError(
                errno.EISDIR, os.strerror(errno.EISDIR), os.path.join(self.where(), name)
            )
        return fd

    def exists(self, name: str) -> bool:
        """Whether there is anything of that name."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes | None:
        """The whole content, or None where there is no such file."""
        try:
            fd = self.open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as file:
            return file.read()

    def read_json(self, name: str) -> dict[str, Any] | None:
        """The object that a file holds, or None where there is no such file.

        Raises:
            ValueError: the file is there and holds no JSON object; the message names it.
        """
        data = self.read(name)
        if data is None:
            return None
        try:
            value = from_json(data)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if not isinstance(value, dict):
            raise ValueError(f"{name}: no JSON object")  # noqa: TRY004 - of what is in the file
        return value

    def write_once(
        self, name: str, data: bytes, mode: int = FILE_MODE, *, durable: bool = True
    ) -> None:
        """Put a fact in place: complete, on disk, and only if there is none of that name.

        Without `durable`, file and folder are the caller's to fsync.

        Raises:
            FileExistsError: the fact is there already; it is left as it is.
        """
        with self._beside(name, lambda file: file.write(data), mode, durable=durable) as temporary:
            try:
                os.link(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            except FileExistsError:
                # A network file system may repeat a call whose first answer was lost.
                if os.stat(temporary, dir_fd=self.fd).st_nlink == 1:
                    raise
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._rename_new(temporary, name, error)
            if durable:
                os.fsync(self.fd)

    def write_once_if_only_empty(self, name: str, data: bytes) -> None:
        """The same for a fact whose being there says most; on a full disk it is left empty.

        Raises:
            FileExistsError: the fact is there already; it is left as it is.
        """
        try:
            self.write_once(name, data)
        except OSError as error:
            if not is_full(error):
                raise
            os.close(self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))

    def replace(self, name: str, data: bytes, mode: int = FILE_MODE) -> None:
        """Put a file that is no fact (a view, a counter) in place, over an older one."""
        self.replace_by(name, lambda file: file.write(data), mode)

    def replace_by(
        self, name: str, write: Callable[[BinaryIO], Any], mode: int = FILE_MODE
    ) -> None:
        """The same for what is too large to hold in memory: `write` is given the open file."""
        with self._beside(name, write, mode) as temporary:
            os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            os.fsync(self.fd)

    def overwrite(self, name: str, data: bytes) -> None:
        """Write a file that one reader takes away again; after a crash it is written anew."""
        fd = self.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(fd, "wb") as file:
            file.write(data)

    def remove(self, name: str) -> None:
        """Remove a file; harmless where there is none."""
        faults.step("before", f"remove {name}")
        self._unlink(name)

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            error.filename = os.path.join(self.where(), name)
            raise

    def _rename_new(self, temporary: str, name: str, refused: OSError) -> None:
        """Where a file system has no hard links: the rename that replaces nothing."""
        import ctypes

        rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if rename is None:
            raise refused
        if rename(self.fd, os.fsencode(temporary), self.fd, os.fsencode(name), _NOREPLACE):
            number = ctypes.get_errno()
            if number == errno.EEXIST:
                raise FileExistsError(number, os.strerror(number), name)
            raise refused

    @contextlib.contextmanager
    def _beside(
        self,
        name: str,
        write: Callable[[BinaryIO], Any],
        mode: int = FILE_MODE,
        *,
        durable: bool = True,
    ) -> Iterator[str]:
        # By chance, not by pid: containers that share a store have the same pids again and again.
        temporary = f".{name}.{os.urandom(8).hex()}"
        faults.step("before", name)
        fd = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(fd, "wb") as file:
                write(file)
                file.flush()
                os.fchmod(file.fileno(), mode)
                if durable:
                    os.fsync(file.fileno())
            faults.step("beside", name)
            yield temporary
        except OSError as error:
            if error.filename is None:
                error.filename = os.path.join(self.where(), name)
            raise
        finally:
            self._unlink(temporary)
        faults.step("after", name)


def from_json(data: str | bytes) -> Any:
    """What JSON holds.

    Raises:
        ValueError: it is none; also what is nested so deeply that only damage can be it.
    """
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def to_json(value: Any) -> bytes:
    """One line of UTF-8 JSON, without the line end."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def strict(value: Any) -> Any:
    """The value without what strict JSON, and so a browser, can't read: NaN is the text `nan`."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: strict(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(inner) for inner in value]
    return value


def to_line(value: Any) -> bytes:
    """One line of a `.jsonl` file."""
    return to_json(value) + b"\n"


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, in as few calls as the kernel takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def append_line(fd: int, value: Any) -> None:
    """Append one line to a `.jsonl` file; what a writer before left torn does not spoil it.

    Args:
        fd: opened for reading and appending.
        value: the line's object.
    """
    end = os.fstat(fd).st_size
    torn = end > 0 and os.pread(fd, 1, end - 1) != b"\n"
    write_all(fd, b"\n" * torn + to_line(value))


def read_lines(data: bytes) -> Iterator[dict[str, Any]]:
    """The whole objects in the bytes of a `.jsonl` file; torn or foreign lines are skipped."""
    for line in data.splitlines():
        with contextlib.suppress(ValueError):
            value = from_json(line)
            if isinstance(value, dict):
                yield value


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and its parents with mode 0700, whatever the umask; fine if it is there."""
    path = os.fspath(path)
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        make_folder(parent)
    try:
        os.mkdir(path, FOLDER_MODE)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return
    os.chmod(path, FOLDER_MODE)


def write_new(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Write a file that nobody reads yet; its folder is the caller's to fsync.

    And itself too, by `fsync_all`, where it is one of many and not to be `durable` at once.
    """
    fd = _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    faults.step("before", os.path.basename(path))
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    faults.step("after", os.path.basename(path))


def fsync_all(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Make files and the entries of folders durable, several at a time.

    A disk that takes one takes others with it, in half the time of one after the other.

    Raises:
        OSError: of one of them it is not certain.
    """
    import threading

    left = [*paths]
    failed: list[OSError] = []

    def work() -> None:
        with contextlib.suppress(IndexError):
            while True:
                path = left.pop()
                try:
                    _fsync(path)
                except OSError as error:
                    failed.append(error)

    threads = []
    with contextlib.suppress(RuntimeError):  # as many as this user may have
        for _ in left[1:AT_ONCE]:
            thread = threading.Thread(target=work)
            thread.start()
            threads.append(thread)
    work()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _fsync(path: str | os.PathLike[str]) -> None:
    fd = _open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def users_mode() -> int:
    """The mode of what is the user's own, unlike the records: as their umask has it."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def touch(path: str | os.PathLike[str]) -> None:
    """Make sure that there is such a file, and that nobody else may read it."""
    os.close(_open(path, os.O_WRONLY | os.O_CREAT))


def fsync_folder(path: str | os.PathLike[str]) -> None:
    """Make the entries of a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_number(name: str) -> bool:
    """Whether a name is written as nbbg writes numbers: `7`, and neither `07` nor `²`."""
    return name.isascii() and name.isdigit() and (name == "0" or name[0] != "0")


def is_own(path: str | os.PathLike[str]) -> bool:
    """Whether nobody but this user can have put anything there; root can always."""
    status = os.stat(path)
    return status.st_uid == os.geteuid() and not status.st_mode & OTHERS_WRITE


def opener(path: str, flags: int) -> int:
    """For `open(path, "rb", opener=...)` of a record: no link leads out, no pipe is waited for."""
    return _open(path, flags)


def _open(name: str | os.PathLike[str], flags: int, folder: int | None = None) -> int:
    """A descriptor; what is made is for its owner alone, whatever the umask.

    A record is never a link, so a store that somebody else has filled leads to no other file; and
    a pipe in the place of one reads as empty, where it would be waited for.
    """
    waits = flags & os.O_ACCMODE == os.O_RDONLY
    more = os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_NONBLOCK if waits else 0)
    fd = os.open(name, flags | more, FILE_MODE, dir_fd=folder)
    if flags & os.O_CREAT:
        os.fchmod(fd, FILE_MODE)
    return fd
