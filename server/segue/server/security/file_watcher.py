"""Detects changes of files, so that they can be read again."""

from __future__ import annotations

from pathlib import Path


class FileWatcher:
    """Detects changes of some files, also when a symbolic link changes its target."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._stamps = self._read_stamps()

    def changed(self) -> bool:
        """Returns True if a file has changed since the last call."""
        before, self._stamps = self._stamps, self._read_stamps()
        return before != self._stamps

    def _read_stamps(self) -> list[tuple[int, int, int]] | None:
        try:
            stats = [path.stat() for path in self._paths]
        except OSError:  # a file that is being replaced may be missing for a moment
            return None
        return [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats]
