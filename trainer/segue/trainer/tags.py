"""The tags that MusiCNN gives the windows of tracks: what the head of ``segue-accurate`` learns from.

They are kept as an npz of ``tags`` float32 [windows, 50] and ``track`` [windows]; a track's windows are in the order of
time and spread evenly over it.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from segue.core.features import FeatureConfig
from segue.trainer.data import Floats
from segue.trainer.errors import DataUnusable
from segue.trainer.folder import Progress, hear_folder, list_folder
from segue.trainer.musicnn import FEATURES, TAGS

MOST_WINDOWS = 10
"""How many windows of a track are tagged to learn from: twice what is served, so that each epoch hears others."""

_BATCH = 16


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

        Those of a clip that is heard from audio are spread so too (``segue.core.windows.spread_starts``).
        """
        count = min(most, len(self.tags))
        chosen: Floats = self.tags[np.round(np.linspace(0, len(self.tags) - 1, count)).astype(int)]
        return chosen


def read_tags(path: Path) -> tuple[TaggedTrack, ...]:
    """Reads a file of tags, in the order of the tracks' names.

    Raises:
        DataUnusable: there is no such file, it is damaged, or its fields do not fit each other.
    """
    fields = _read_fields(path)
    tags, names = fields["tags"], fields["track"]
    if tags.ndim != 2 or tags.shape != (len(names), TAGS) or names.ndim != 1 or not np.issubdtype(names.dtype, np.str_):
        raise DataUnusable(f"{path}: tags are {tags.shape} of {names.shape} tracks, not [n, {TAGS}] of [n] names.")
    if not len(names):
        raise DataUnusable(f"{path} has no tracks. Make it with segue-trainer tag.")
    # NaN is in no range.
    if not (np.issubdtype(tags.dtype, np.floating) and ((tags >= 0) & (tags <= 1)).all()):
        raise DataUnusable(f"{path} has tags that are not numbers in [0, 1]. Make it again with segue-trainer tag.")
    values = tags.astype(np.float32)
    return tuple(TaggedTrack(str(name), genre_of(str(name)), values[names == name]) for name in np.unique(names))


def tag_folder(
    folder: Path, backbone: keras.Model, progress: Progress, features: FeatureConfig = FEATURES
) -> tuple[tuple[TaggedTrack, ...], dict[str, str]]:
    """Tags the tracks of a folder in GTZAN's layout.

    Returns:
        The tracks, and why a file was not heard, by its track.

    Raises:
        DataUnusable: the folder cannot be used.
    """
    heard, dropped = hear_folder(list_folder(folder), features, MOST_WINDOWS, progress)
    tagged = (
        TaggedTrack(clip.track, clip.genre, backbone.predict(clip.windows.values, batch_size=_BATCH, verbose=0))
        for clip in heard
    )
    return tuple(tagged), dropped


def save_tags(path: Path, tracks: tuple[TaggedTrack, ...]) -> None:
    """Writes what ``read_tags`` reads."""
    names = [track.track for track in tracks for _ in track.tags]
    with path.open("wb") as file:
        np.savez_compressed(file, tags=np.concatenate([track.tags for track in tracks]), track=np.array(names))


def genre_of(track: str) -> str:
    """The genre in a track's name: ``blues`` of ``blues.00000`` and of ``blues/a song.mp3``."""
    return track.split("/", 1)[0] if "/" in track else track.rsplit(".", 1)[0]


def _read_fields(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("tags", "track")}
    except KeyError as error:
        raise DataUnusable(
            f"{path} is not a file of tags: {error.args[0]}. Make one with segue-trainer tag."
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataUnusable(
            f"{path} is not a file of tags (npz), or it is damaged or missing. Make one with segue-trainer tag."
        ) from error
