"""Locks files and folders between processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_POLL_SECONDS = 0.005


class FileLock:
    """A lock on files and folders (flock), held by one process alone or shared by several.

    The system releases the lock when the last process that holds it closes the files or ends, even when it is killed.
    So a lock is never stale. Nothing is written to the files.

    Attributes:
        descriptors: the open files. Child processes do not inherit them, unless they are started with them in
            ``pass_fds``.
    """

    def __init__(self, *paths: Path) -> None:
        """Opens the files and creates those that are missing; locks nothing.

        Args:
            paths: files in folders that exist, or folders.

        Raises:
            OSError: one of them cannot be opened.
        """
        self._paths = paths
        self.descriptors: list[int] = []
        try:
            for path in paths:
                self.descriptors.append(_open(path))
        except OSError:
            self.close()
            raise

    def share(self) -> None:
        """Acquires the lock together with others; waits while another process holds it alone."""
        for descriptor in self.descriptors:
            fcntl.flock(descriptor, fcntl.LOCK_SH)

    def try_exclusive(self, seconds: float = 0.0) -> bool:
        """Acquires the lock for this process alone.

        Args:
            seconds: how long to wait while others hold the lock, 0 or above.

        Returns:
            Whether the lock was acquired.
        """
        deadline = time.monotonic() + seconds
        while not self._acquire_exclusive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def is_current(self) -> bool:
        """Returns whether the paths still lead to the files that were opened: they may have been replaced meanwhile."""
        try:
            pairs = [(os.fstat(one), path.stat()) for one, path in zip(self.descriptors, self._paths, strict=True)]
        except FileNotFoundError:
            return False
        return all(os.path.samestat(opened, there) for opened, there in pairs)

    def close(self) -> None:
        """Closes the files; a child process that inherited them keeps the lock."""
        for descriptor in self.descriptors:
            os.close(descriptor)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the files."""
        self.close()

    def _acquire_exclusive(self) -> bool:
        """Acquires the lock on all files or on none."""
        for number, descriptor in enumerate(self.descriptors):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                for acquired in self.descriptors[:number]:
                    fcntl.flock(acquired, fcntl.LOCK_UN)
                return False
        return True


class TemporaryFolder:
    """A temporary folder of this process. If the process is killed, the next one that makes such a folder removes it.

    Attributes:
        path: the folder.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        """Makes the folder, and removes those of processes of this user that have ended.

        Args:
            parent: folder for temporary files.
            prefix: beginning of the folder's name; only folders of this class have it.

        Raises:
            OSError: it cannot be made.
        """
        for folder in parent.glob(f"{prefix}*"):
            _remove_if_left(folder)
        lock = None
        while lock is None:  # another process may take it for one that was left, until it is locked
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            lock = _try_lock(self.path)
        self._lock = lock

    def remove(self) -> None:
        """Removes the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _remove_if_left(folder: Path) -> None:
    """Removes a folder whose process has ended, which no longer locks it."""
    with suppress(FileNotFoundError):
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and (lock := _try_lock(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def _try_lock(folder: Path) -> FileLock | None:
    """Returns the lock of a folder, or None if another process has it or the folder was removed."""
    with suppress(FileNotFoundError):
        lock = FileLock(folder / "lock")
        if lock.try_exclusive() and lock.is_current():
            return lock
        lock.close()
    return None


def _open(path: Path) -> int:
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    return os.open(path, flags, 0o600)
