"""Clips for training, whether they come from a folder of audio or from a log-mel archive.

A clip is held as decibel columns, from which windows are cut at any column.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from segue.trainer.arrays import Floats, Positions
from segue.trainer.errors import DataUnusable

_LAYOUT = "Give it clips of more genres; those of a folder are laid out as FOLDER/<genre>/<clip>."
_CHUNK_START = re.compile(r"#\d{2,}s$")


@dataclass(frozen=True)
class Clip:
    """A labelled clip.

    Attributes:
        track: name of the track, such as "blues.00000".
        genre: the track's genre.
        decibels: log-mel [bands, columns] relative to the clip's loudest cell, with columns for one window or more.
        tags: a teacher's tags [patches, tags] in [0, 1] of patches spread evenly over the clip, or None without a
            teacher.
        posterior: a teacher's posterior [patches, genres] of patches spread evenly over a clip without a label, whose
            ``genre`` is then the likeliest; None for a labelled clip.
    """

    track: str
    genre: str
    decibels: Floats
    tags: Floats | None = None
    posterior: Floats | None = None


@dataclass(frozen=True)
class Dataset:
    """Clips that can be used, and the reasons why others cannot.

    Attributes:
        clips: the clips in the order of their names.
        dropped: the reason why a track was left out, by its name.
    """

    clips: tuple[Clip, ...]
    dropped: dict[str, str] = field(default_factory=dict)

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""
        return {clip.track: clip.genre for clip in self.clips}

    @property
    def digest(self) -> str:
        """The SHA-256 of all names, genres, columns, tags and posteriors, in hexadecimal."""
        whole = hashlib.sha256()
        for clip in self.clips:
            # Names of files need not be UTF-8.
            whole.update(f"{clip.track}\t{clip.genre}\n".encode("utf-8", "surrogateescape"))
            whole.update(clip.decibels.tobytes())
            for predicted in (clip.tags, clip.posterior):
                if predicted is not None:
                    whole.update(predicted.tobytes())
        return whole.hexdigest()

    @property
    def copies(self) -> list[tuple[str, str]]:
        """Pairs of tracks whose columns are the same, bit for bit: the first of them with each other one."""
        first: dict[bytes, str] = {}
        pairs = ((first.setdefault(_content(clip), clip.track), clip.track) for clip in self.clips)
        return [(original, copy) for original, copy in pairs if original != copy]

    def select(self, selects: Callable[[str], bool]) -> Dataset:
        """Returns the clips whose track is selected."""
        return Dataset(tuple(clip for clip in self.clips if selects(clip.track)), self.dropped)


def track_of(chunk: str) -> str:
    """Returns the track that a chunk is part of; the name of a whole track is returned as it is."""
    return _CHUNK_START.sub("", chunk)


def labels_of(genres: Iterable[str], remedy: str = _LAYOUT) -> tuple[str, ...]:
    """Returns the genres in the order of a posterior.

    Args:
        genres: the genre of each track.
        remedy: sentence that says what to do if there are fewer than two.

    Raises:
        DataUnusable: there are fewer than two.
    """
    labels = tuple(sorted(set(genres)))
    if len(labels) < 2:
        given = f"only {labels[0]!r}" if labels else "none"
        raise DataUnusable(f"A network needs two genres or more, and there is {given}. {remedy}")
    return labels


def check_genres(dropped: Iterable[str], left: Iterable[str]) -> None:
    """Checks that a genre of tracks that were left out still has another track.

    Args:
        dropped: genres of the tracks that were left out.
        left: genres of the others.

    Raises:
        DataUnusable: no track of a genre is left.
    """
    if lost := sorted(set(dropped) - set(left)):
        raise DataUnusable(
            f"No clip of {', '.join(lost)} can be used. Add usable clips of the genre, or remove its folder."
        )


def genres_of(dataset: Dataset, labels: tuple[str, ...]) -> Positions:
    """Returns the genres of the clips [clips], as positions among the labels."""
    return np.array([labels.index(clip.genre) for clip in dataset.clips])


def one_hot(dataset: Dataset, labels: tuple[str, ...]) -> Floats:
    """Returns the genres of the clips as [clips, genres]."""
    return np.eye(len(labels), dtype=np.float32)[genres_of(dataset, labels)]


def _content(clip: Clip) -> bytes:
    return hashlib.sha256(clip.decibels.tobytes()).digest()
