"""Caches the tags of music files in one file, by path, size and time of the last change.

It is an npz of ``recipe`` (text), of ``path``, ``size``, ``mtime_ns`` and ``windows`` [files], and of ``tags`` [windows
of all files, tags]. It has no genres, so ``segue.trainer.data.tag_file`` does not read it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.arrays import Floats
from segue.trainer.data.npz import Fields, read_npz, write_npz
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import MusicFile

_FIELDS = {"recipe", "path", "size", "mtime_ns", "windows", "tags"}

_Key = tuple[str, int, int]


@dataclass
class TagCache:
    """A file of tags. A file of music that was changed, renamed or moved is not found in it.

    Attributes:
        path: path of the cache.
        recipe: identity of the front end and of the number of windows; the tags of another recipe are dropped.
        trouble: the reason why the cache could not be written, or empty.
    """

    path: Path
    recipe: str
    trouble: str = field(default="", init=False)
    _tags: dict[_Key, Floats] = field(default_factory=dict, init=False)
    _saved: int = field(default=0, init=False)

    @classmethod
    def open(cls, path: Path, recipe: str) -> TagCache:
        """Reads a cache, or returns an empty one if there is no file.

        Raises:
            DataUnusable: the file is something else, or it is damaged.
        """
        cache = cls(path, recipe)
        if path.exists():
            cache._load()
        return cache

    def __len__(self) -> int:
        return len(self._tags)

    def find(self, file: MusicFile) -> Floats | None:
        """Returns the tags [windows, tags] of a file, or None if they are not cached."""
        return self._tags.get(_key(file))

    def store(self, file: MusicFile, tags: Floats) -> None:
        """Adds the tags [windows, tags] of a file; ``save`` writes them."""
        self._tags[_key(file)] = tags

    def save(self) -> None:
        """Writes the cache if it has grown; ``trouble`` reports a full disk, which does not end a run."""
        if len(self._tags) == self._saved:
            return
        paths, sizes, times = zip(*self._tags, strict=True)
        tags = list(self._tags.values())
        fields = {"recipe": self.recipe, "path": paths, "size": sizes, "mtime_ns": times}
        try:
            write_npz(
                self.path,
                {name: np.array(value) for name, value in fields.items()}
                | {"windows": np.array([len(rows) for rows in tags]), "tags": np.concatenate(tags)},
            )
        except OSError as error:
            self.trouble = f"tags are not cached in {self.path}: {error.strerror or error}"
        else:
            self._saved = len(self._tags)

    def _load(self) -> None:
        try:
            fields = read_npz(self.path)
            if str(fields["recipe"]) == self.recipe:
                self._tags = _entries(fields)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataUnusable(
                f"{self.path} is not a cache of tags, or it is damaged. Remove it, or name another file with "
                "--tag-cache."
            ) from error
        self._saved = len(self._tags)


def _key(file: MusicFile) -> _Key:
    # A name, not its target: links to one file are copies, which the ranking leaves out.
    return os.path.abspath(file.path), file.size, file.mtime_ns  # noqa: PTH100 - resolve() would follow links


def _entries(fields: Fields) -> dict[_Key, Floats]:
    """Returns the tags of each file.

    Raises:
        KeyError: a field is missing.
        ValueError: the fields do not fit each other.
    """
    columns = [fields[name].tolist() for name in ("path", "size", "mtime_ns")]
    keys = list(zip(*columns, strict=True))
    ends = np.cumsum(fields["windows"])
    tags = fields["tags"]
    if not keys or (fields["windows"] < 1).any() or tags.shape != (ends[-1], TAGS) or not np.isfinite(tags).all():
        raise ValueError(f"tags of the shape {tags.shape} are not those of {len(keys)} files")
    return dict(zip(keys, np.split(tags, ends[:-1]), strict=True))
