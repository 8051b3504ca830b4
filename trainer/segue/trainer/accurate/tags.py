"""Reads and writes tracks with MusiCNN's tags, on which the head of ``segue-accurate`` is trained.

They are saved as a file of tags (``segue.trainer.data.tag_file``); the genre is part of a track's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from segue.core.quantities import quantity
from segue.trainer.accurate.musicnn import LAYER, TAGS
from segue.trainer.arrays import Floats
from segue.trainer.data.tag_file import REMEDY, WindowTags, read_tag_file, write_tag_file
from segue.trainer.data.tagged_copies import tagged_copies
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import TRAIN, load_split

MORE_GENRES = "Name a file of more genres with --tags, which segue-trainer tag writes, or another --split."
"""What to do if the tracks of a file, or those of a split, have fewer than two genres."""


def read_tags(path: Path) -> tuple[TaggedTrack, ...]:
    """Reads a file of MusiCNN's tags, in the order of the tracks' names.

    Raises:
        DataUnusable: it is missing or damaged, it has other tags, or a track's name has no genre.
    """
    tracks = tuple(TaggedTrack(name, genre_of(name), *track) for name, track in read_tag_file(path).items())
    for track in tracks:
        if track.tags.shape[1] != TAGS:
            raise DataUnusable(f"{path} has {track.tags.shape[1]} tags for each window, not {TAGS}. {REMEDY}")
        if track.layer is not None and track.layer.shape[1] != LAYER:
            raise DataUnusable(f"{path} has a layer of {track.layer.shape[1]} numbers, not {LAYER}. {REMEDY}")
        if not track.genre:
            raise DataUnusable(f"{path} has the track {track.track!r}, a name without a genre. {REMEDY}")
    return tracks


def training_tracks(path: Path, split: str | None) -> tuple[TaggedTrack, ...]:
    """Reads a file of MusiCNN's tags, and returns its tracks on the training side of a split, if one is named.

    Raises:
        SegueError: the file or the split cannot be used, or no track is on that side.
    """
    tracks = read_tags(path)
    if split is None:
        return tracks
    loaded = load_split(split)
    selected = tuple(track for track in tracks if loaded.side(track.track) == TRAIN)
    if not selected:
        raise SplitMismatch(
            f"The split {loaded.label} has no track of {path} on its training side. Name a split of its tracks."
        )
    return selected


def save_tags(path: Path, tracks: Iterable[TaggedTrack]) -> None:
    """Writes a file that ``read_tags`` reads, of at least one track.

    Raises:
        DataUnusable: the name of a track cannot be saved.
        OSError: the file cannot be written.
    """
    write_tag_file(path, {track.track: WindowTags(track.tags, track.layer) for track in tracks})


def caution_about_layer(path: Path, tracks: Iterable[TaggedTrack]) -> Iterator[str]:
    """Yields a sentence if the embeddings of the tracks of a file are not known."""
    if any(track.layer is None for track in tracks):
        yield (
            f"{path} has tags alone, without the layer before them, so recommendations are not evaluated. "
            "segue-trainer tag writes both."
        )


def caution_about_copies(tracks: Sequence[TaggedTrack]) -> Iterator[str]:
    """Yields a sentence if tracks are copies of others."""
    if copies := len(tagged_copies(tracks)):
        yield (
            f"{quantity(copies, 'track is a copy', 'tracks are copies')} of others by the tags. The folds "
            "keep copies together; remove them to train on each recording once."
        )


def mean_tags(tracks: Sequence[TaggedTrack], windows: int) -> Floats:
    """Computes the mean tags [n, 50] of at most so many windows of each track, each brought to length 1."""
    means = np.stack([track.spread(windows).tags.mean(0) for track in tracks])
    vectors: Floats = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return vectors


def genre_of(track: str) -> str:
    """Returns the genre in a track's name: ``blues`` of ``blues.00000`` and of ``blues/a song.mp3``."""
    return track.split("/", 1)[0] if "/" in track else track.rsplit(".", 1)[0]
