"""The tags that MusiCNN gives the windows of tracks: what the head of ``segue-accurate`` learns from.

They are kept as a file of tags (``segue.trainer.data.tag_file``), and a track's name tells its genre.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.arrays import Floats
from segue.trainer.data.tag_file import read_tag_file, write_tag_file
from segue.trainer.errors import DataUnusable

MAX_TAGGED_WINDOWS = 10
"""How many windows of a track are tagged to learn from: twice what is served, so that each epoch hears others."""

_BATCH = 16
_REMEDY = "Make the file with segue-trainer tag, and name it by --tags."


@dataclass(frozen=True)
class TaggedTrack:
    """A track as the head hears it.

    Attributes:
        track: its name.
        genre: what it is.
        tags: of its windows in the order of time, [w, 50] in [0, 1].
    """

    track: str
    genre: str
    tags: Floats

    def spread(self, most: int) -> Floats:
        """The tags [w, 50] of at most ``most`` windows spread over the clip, its first and its last among them.

        Those of a clip that is heard from audio are spread so too (``segue.core.features.windows.spread_starts``).
        """
        count = min(most, len(self.tags))
        chosen: Floats = self.tags[np.round(np.linspace(0, len(self.tags) - 1, count)).astype(int)]
        return chosen


def read_tags(path: Path) -> tuple[TaggedTrack, ...]:
    """Reads a file of MusiCNN's tags, in the order of the tracks' names.

    Raises:
        DataUnusable: there is no such file, it is damaged, it has other tags, or a track's name has no genre.
    """
    tracks = tuple(TaggedTrack(track, genre_of(track), tags) for track, tags in read_tag_file(path).items())
    for track in tracks:
        if track.tags.shape[1] != TAGS:
            raise DataUnusable(f"{path} has {track.tags.shape[1]} tags of a window, not {TAGS}. {_REMEDY}")
        if not track.genre:
            raise DataUnusable(f"{path} has the track {track.track!r}, a name without a genre. {_REMEDY}")
    return tracks


def save_tags(path: Path, tracks: Iterable[TaggedTrack]) -> None:
    """Writes what ``read_tags`` reads, of at least one track.

    Raises:
        OSError: it cannot be written.
    """
    write_tag_file(path, {track.track: track.tags for track in tracks})


def genre_of(track: str) -> str:
    """The genre in a track's name: ``blues`` of ``blues.00000`` and of ``blues/a song.mp3``."""
    return track.split("/", 1)[0] if "/" in track else track.rsplit(".", 1)[0]
