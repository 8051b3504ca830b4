"""Describes items by vectors: the embeddings of their tracks, or the tags that users gave to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.arrays import AnyFloats, Floats
from segue.trainer.collaborative.hetrec import Assignment, fold_name
from segue.trainer.collaborative.plays import read_table
from segue.trainer.data.npz import read_npz
from segue.trainer.errors import DataUnusable

_REMEDY = "Make it with segue-trainer evaluate --predictions, and name it with --embeddings."
_ARTISTS_REMEDY = "A table of artists has a header and the columns track and artist, with tabs (.tsv) or commas (.csv)."


class Content(Protocol):
    """Vectors of items."""

    @property
    def items(self) -> Sequence[str]:
        """The names of the items, [i]."""

    def vectors(self, user: str | None = None) -> Floats:
        """Returns a vector of length 1 for each item, or of zeros, [i, d].

        Args:
            user: the user who is predicted; what this user said about the items is left out.
        """


class EmbeddingContent:
    """The mean embedding of each item's tracks."""

    def __init__(self, tracks: Mapping[str, Iterable[Floats]]) -> None:
        """Averages the embeddings [e] of the tracks of each item."""
        self.items = sorted(tracks)
        self._vectors = unit(np.stack([np.mean(list(tracks[item]), axis=0) for item in self.items]))

    def vectors(self, user: str | None = None) -> Floats:
        """Returns the embedding of each item, [i, e], the same for all users."""
        return self._vectors


class TagContent:
    """The square roots of how often each item got each tag, without what the predicted user assigned."""

    def __init__(self, assignments: Sequence[Assignment], items: Iterable[str]) -> None:
        """Counts the tags of the items."""
        tagged = {assignment.item for assignment in assignments}
        self.items = sorted(tagged & set(items))
        place = {item: row for row, item in enumerate(self.items)}
        self._counts = np.zeros((len(self.items), TAGS))
        self._own: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for user, item, tag in assignments:
            if item in place:
                self._own[user].append((place[item], tag))
                self._counts[place[item], tag] += 1
        self._vectors = _tag_vectors(self._counts)

    def vectors(self, user: str | None = None) -> Floats:
        """Returns the tags of each item, [i, 50], without those that a user assigned."""
        if user not in self._own:
            return self._vectors
        rows, tags = np.array(self._own[user]).T
        changed = np.unique(rows)
        counts = self._counts.copy()
        np.subtract.at(counts, (rows, tags), 1)
        vectors = self._vectors.copy()
        vectors[changed] = _tag_vectors(counts[changed])
        return vectors


def read_embeddings(path: Path, artists: Path | None) -> dict[str, list[Floats]]:
    """Reads the embeddings of tracks, by the item that each belongs to.

    Args:
        path: npz with ``track`` [n] and ``embedding`` [n, e].
        artists: table of the artist of each track, which is then the item; None if each track is an item.

    Raises:
        DataUnusable: a file cannot be used, or no track has an artist.
    """
    try:
        fields = read_npz(path)
        names, embeddings = fields["track"], fields["embedding"]
    except (OSError, ValueError, KeyError) as error:
        raise DataUnusable(
            f"{path} is not a file of embeddings (npz), or it is damaged or missing. {_REMEDY}"
        ) from error
    if embeddings.ndim != 2 or names.shape != embeddings.shape[:1] or not embeddings.size:
        raise DataUnusable(f"{path} does not have an embedding for each track. {_REMEDY}")
    if embeddings.dtype.kind != "f" or not np.isfinite(embeddings).all():
        raise DataUnusable(f"{path} has embeddings that are not finite numbers. {_REMEDY}")
    item_of = _read_artists(artists) if artists else {str(name): str(name) for name in names}
    items: dict[str, list[Floats]] = defaultdict(list)
    for name, embedding in zip(names.tolist(), embeddings.astype(np.float32), strict=True):
        if name in item_of:
            items[item_of[name]].append(embedding)
    if not items:
        raise DataUnusable(f"{artists} has the artist of no track in {path}. {_ARTISTS_REMEDY}")
    return items


def unit(vectors: AnyFloats) -> Floats:
    """Returns vectors [n, d] with length 1; those of zeros stay so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def _tag_vectors(counts: AnyFloats) -> Floats:
    return unit(np.sqrt(counts))


def _read_artists(path: Path) -> dict[str, str]:
    """Reads the folded name of the artist of each track; tracks whose artist is not named are left out."""
    rows = read_table(path, ("track", "artist"), _ARTISTS_REMEDY, may_be_empty=("artist",))
    return {row["track"]: folded for _, row in rows if (folded := fold_name(row["artist"] or ""))}
