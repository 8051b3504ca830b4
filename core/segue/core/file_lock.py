"""Locks files between processes."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

_POLL_SECONDS = 0.005


class FileLock:
    """A lock on a file (flock), held by one process alone or shared by several.

    The system releases the lock when the last process that holds it closes the file or ends, even when it is killed. So
    a lock is never stale. Nothing is written to the file.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file and creates it if it is missing; locks nothing.

        Args:
            path: the file; its folder exists.

        Raises:
            OSError: the file cannot be opened.
        """
        # Child processes do not inherit it, unless they are started with it in ``pass_fds``.
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def share(self) -> None:
        """Acquires the lock together with others; waits while another process holds it alone."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)

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

    def close(self) -> None:
        """Closes the file; a child process that inherited it keeps the lock."""
        os.close(self.descriptor)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the file."""
        self.close()

    def _acquire_exclusive(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
