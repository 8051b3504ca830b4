"""Files that are read again when they change."""

from __future__ import annotations

from pathlib import Path


class FileWatcher:
    """Tells whether files have changed, also through a link that is turned to another file."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._stamps = self._look()

    def changed(self) -> bool:
        """Whether they have changed since this was asked last."""
        before, self._stamps = self._stamps, self._look()
        return before != self._stamps

    def _look(self) -> list[tuple[int, int, int]] | None:
        try:
            found = [path.stat() for path in self._paths]
        except OSError:  # while a file is replaced it may be away for a moment
            return None
        return [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found]
