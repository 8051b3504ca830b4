"""Finds the places of watched folders: which are there, and what a walk through them finds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from segue.core.system_names import is_system_folder
from segue.indexer.pipeline.scan import absolute, find_music


class WatchedFolders:
    """Folders that are watched. Each may go away and come back, as a disk that is unmounted does.

    Attributes:
        paths: all of them, absolute.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        """Counts none of them as present before the first ``refresh``."""
        self.paths = list(dict.fromkeys(map(absolute, paths)))
        self._present: dict[Path, tuple[int, int]] = {}
        self._real_roots: dict[str, Path] = {}

    @property
    def present(self) -> list[Path]:
        """Those that were there at the last refresh."""
        return list(self._present)

    @property
    def away(self) -> list[Path]:
        """Those that were not there at the last refresh."""
        return [path for path in self.paths if path not in self._present]

    def refresh(self) -> bool:
        """Looks which folders are there, and returns whether one went, came back, or was replaced by another."""
        found = self._identities()
        if found == self._present:
            return False
        self._present = found
        self._real_roots = {}
        for path in found:
            self._real_roots.setdefault(os.path.realpath(path), path)  # a walk uses the first name of a folder
        return True

    def is_unchanged(self) -> bool:
        """Returns whether the folders are those of the last refresh."""
        return self._identities() == self._present

    def _identities(self) -> dict[Path, tuple[int, int]]:
        """Returns device and number of each folder: another file system at its path has others."""
        identities: dict[Path, tuple[int, int]] = {}
        for path in self.paths:
            with suppress(OSError):
                status = path.stat()
                if path.is_dir():
                    identities[path] = status.st_dev, status.st_ino
        return identities

    def without_music(self) -> list[Path]:
        """Returns the present folders in which a walk finds no music."""
        return [path for path in self.present if next(find_music([path]), None) is None]

    def music_at(self, path: Path) -> Iterator[Path]:
        """Yields the files that a walk through the folders finds at or under a path without links."""
        place = self.place(path)
        if place is None or self._is_found_elsewhere(place):
            return
        if not os.path.isdir(place):  # noqa: PTH112 - is_dir() raises in a place that cannot be read
            yield place
            return
        for found in find_music([place]):
            if isinstance(found, Path) and not self._is_found_elsewhere(found):
                yield found

    def place(self, path: Path) -> Path | None:
        """Returns the path by which a walk finds what has this path without links, or None if it does not get there."""
        root = self._root_of(str(path))
        if root is None:
            return None
        inner = Path(os.path.relpath(path, root))
        if any(map(is_system_folder, inner.parts[:-1])):
            return None
        if is_system_folder(inner.name) and os.path.isdir(path):  # noqa: PTH112 - never raises
            return None
        return self._real_roots[root] / inner

    def _root_of(self, real: str) -> str | None:
        return next(
            (root for root in self._real_roots if real == root or real.startswith(root.rstrip("/") + "/")), None
        )

    def _is_found_elsewhere(self, place: Path) -> bool:
        """Returns whether a place is a link, or behind one, whose target a walk finds under its own path."""
        real = os.path.realpath(place)
        root = self._root_of(real)
        return root is not None and self._real_roots[root] / os.path.relpath(real, root) != place
