"""Where clips come from: a folder of audio in GTZAN's layout, or a ready-made log-mel archive.

Both end in the same ``Dataset``. A clip is held as decibel columns, from which windows are cut anywhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from segue.trainer.arrays import Floats
from segue.trainer.errors import DataUnusable

_SECOND = re.compile(r"#\d{2,}s$")


@dataclass(frozen=True)
class Clip:
    """One clip that can be learnt from.

    Attributes:
        track: its name, such as "blues.00000".
        genre: what it is.
        decibels: log-mel [bands, columns] relative to the clip's loudest cell, with columns for one window or more.
        tags: what a teacher says of it, [patches, tags] in [0, 1], the patches spread evenly over the clip; None where
            nobody taught it.
    """

    track: str
    genre: str
    decibels: Floats
    tags: Floats | None = None


@dataclass(frozen=True)
class Dataset:
    """Clips, and what became of the others.

    Attributes:
        clips: in the order of their names.
        dropped: why a file was left out, by its name.
    """

    clips: tuple[Clip, ...]
    dropped: dict[str, str] = field(default_factory=dict)

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""
        return {clip.track: clip.genre for clip in self.clips}

    @property
    def digest(self) -> str:
        """The SHA-256 of all names, genres, columns and tags, in hexadecimal."""
        whole = hashlib.sha256()
        for clip in self.clips:
            whole.update(f"{clip.track}\t{clip.genre}\n".encode())
            whole.update(clip.decibels.tobytes())
            if clip.tags is not None:
                whole.update(clip.tags.tobytes())
        return whole.hexdigest()

    @property
    def copies(self) -> list[tuple[str, str]]:
        """Pairs of tracks whose columns are the same, bit for bit: the first of them and each other."""
        first: dict[bytes, str] = {}
        found = ((first.setdefault(_content(clip), clip.track), clip.track) for clip in self.clips)
        return [(one, other) for one, other in found if one != other]

    def where(self, wanted: Callable[[str], bool]) -> Dataset:
        """The clips whose track is wanted."""
        return Dataset(tuple(clip for clip in self.clips if wanted(clip.track)), self.dropped)


def _content(clip: Clip) -> bytes:
    return hashlib.sha256(clip.decibels.tobytes()).digest()


def track_of(chunk: str) -> str:
    """The track that a chunk is part of; the name of a whole track is its own."""
    return _SECOND.sub("", chunk)


def labels_of(genres: Iterable[str]) -> tuple[str, ...]:
    """The genres in the order of a posterior.

    Raises:
        DataUnusable: there are fewer than two.
    """
    labels = tuple(sorted(set(genres)))
    if len(labels) < 2:
        found = f"only {labels[0]!r}" if labels else "none"
        raise DataUnusable(
            f"A network needs two genres or more to tell apart, and there is {found}. "
            "Lay the clips out as FOLDER/<genre>/<clip>."
        )
    return labels


def one_hot(dataset: Dataset, labels: tuple[str, ...]) -> Floats:
    """The genres of the clips as [clips, genres]."""
    positions = [labels.index(clip.genre) for clip in dataset.clips]
    return np.eye(len(labels), dtype=np.float32)[positions]
