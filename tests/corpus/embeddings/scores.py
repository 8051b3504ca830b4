"""Scores of embeddings, with intervals over artists, and the rule that decides by them (docs/adr/0053)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.trainer.arrays import AnyFloats
from segue.trainer.evaluation.artists import ArtistSample, Interval
from tests.corpus.embeddings.clips import Clip

GENRE_5, GENRE_10 = "genre P@5", "genre P@10"
ARTIST_5, ARTIST_FIRST = "same artist P@5", "same artist P@1"
OVERLAP, OWN_FIRST = "overlap@10", "own clip first"
GENRE_K = {GENRE_5: 5, GENRE_10: 10}
ARTIST_K = {ARTIST_5: 5, ARTIST_FIRST: 1}
"""Number of neighbours of each precision."""
MAX_LOSS = 0.05
"""Largest loss of genre precision that a better embedding may have."""

_K = 10
Matrix = NDArray[np.bool_]

Scores = Mapping[str, AnyFloats]
"""Scores [n] of each clip by their name, NaN where there is nothing to find."""


class Relations(NamedTuple):
    """Relations between clips, each [n, n].

    Attributes:
        same_clip: true on the diagonal.
        same_artist: true for clips of one artist.
        same_genre: true for clips of one genre that is known.
    """

    same_clip: Matrix
    same_artist: Matrix
    same_genre: Matrix

    @classmethod
    def of(cls, clips: Sequence[Clip]) -> Relations:
        """Computes the relations of clips."""
        artists, genres = np.array([clip.group for clip in clips]), np.array([clip.genre for clip in clips])
        return cls(
            np.eye(len(clips), dtype=bool),
            artists[:, None] == artists,
            (genres[:, None] == genres) & (genres != ""),
        )


def score(cosines: AnyFloats, relations: Relations) -> Scores:
    """Computes the scores of an embedding.

    Args:
        cosines: cosines [renditions, n, n] from a rendition of one clip to another clip; the first is the clip itself.
        relations: relations between the clips.
    """
    own = [rendition.argmax(1) == np.arange(len(rendition)) for rendition in cosines[1:]]
    return {**precisions(cosines[0], relations), OVERLAP: overlaps(cosines).mean(0), OWN_FIRST: np.mean(own, 0)}


def precisions(cosines: AnyFloats, relations: Relations) -> Scores:
    """Computes the precisions of an embedding.

    Args:
        cosines: cosines [n, n] of the clips.
        relations: relations between them.
    """
    others = ~relations.same_clip
    return {
        **{
            name: capped_precision(k, cosines, relations.same_genre, ~relations.same_artist)
            for name, k in GENRE_K.items()
        },
        **{name: capped_precision(k, cosines, relations.same_artist, others) for name, k in ARTIST_K.items()},
    }


def capped_precision(k: int, cosines: AnyFloats, right: Matrix, allowed: Matrix) -> AnyFloats:
    """Computes the hits among the k nearest clips, as a share of the most that can be.

    Args:
        k: number of neighbours.
        cosines: cosine of each seed to each clip, [n, m].
        right: the clips that are hits, [n, m].
        allowed: the clips that may be recommended, [n, m].

    Returns:
        The share [n] of k, or of the number of hits there are if that is smaller; NaN if there are none.
    """
    found = (nearest(k, cosines, allowed) & right).sum(1)
    most = np.minimum(k, (right & allowed).sum(1))
    shares: AnyFloats = np.where(most > 0, found / np.maximum(most, 1), np.nan)
    return shares


def nearest(k: int, cosines: AnyFloats, allowed: Matrix) -> Matrix:
    """Returns a matrix [n, m], true for the k nearest clips of those that are allowed."""
    order = np.argsort(-np.where(allowed, cosines, -np.inf), axis=1, kind="stable")[:, :k]
    chosen = np.zeros(allowed.shape, bool)
    np.put_along_axis(chosen, order, values=True, axis=1)
    return chosen & allowed


def overlaps(cosines: AnyFloats) -> AnyFloats:
    """Computes the share [renditions - 1, n] of the ten nearest clips that a rendition has in common with its clip."""
    others = ~np.eye(cosines.shape[1], dtype=bool)
    before, *after = (nearest(_K, rendition, others) for rendition in cosines)
    shares: AnyFloats = np.stack([(before & chosen).sum(1) / before.sum(1) for chosen in after])
    return shares


def interval(name: str, values: AnyFloats, clips: Sequence[Clip]) -> Interval:
    """Computes the mean of a score or of its gain over the clips that have one, and its interval over artists.

    Artists are drawn within genres for genre precision, and else within collections.
    """
    rows = np.flatnonzero(~np.isnan(values)).tolist()
    strata = [clips[row].genre if name in GENRE_K else clips[row].collection for row in rows]
    artists = np.array([clips[row].group for row in rows])
    return ArtistSample(np.unique(strata, return_inverse=True)[1], artists).interval(values[rows])


def verdict(gains: Mapping[str, Interval]) -> str:
    """Returns the result of the rule for the gains of a candidate over the former embedding."""
    if min(gains[GENRE_5].low, gains[GENRE_10].low) <= -MAX_LOSS:
        return f"no: a loss of {MAX_LOSS} in genre precision is not excluded"
    if worse := [name for name in (ARTIST_5, OVERLAP) if gains[name].high < 0]:
        return f"no: clearly worse in {' and '.join(worse)}"
    if better := [name for name in (ARTIST_5, OVERLAP) if gains[name].low > 0]:
        return f"better in {' and '.join(better)}"
    return "no: not clearly better in anything"
