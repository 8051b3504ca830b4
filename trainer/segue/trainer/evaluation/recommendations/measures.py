"""Measures of lists of recommended tracks: of single lists, and of all lists of a catalogue."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from segue.trainer.arrays import AnyFloats, Positions
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.recommendations.tracks import JudgedTracks

Lists = Sequence[Positions]
"""For each seed the recommended rows of the catalogue, the first one first."""


def genre_hits(k: int, lists: Lists, seeds: Predictions, catalogue: Predictions) -> AnyFloats:
    """Counts the tracks of each seed's genre among its first k recommendations, [n]."""
    hits = [np.sum(catalogue.genres[rows[:k]] == genre) for rows, genre in zip(lists, seeds.genres, strict=True)]
    return np.array(hits, np.float64)


def precision_of_others(lists: Lists, tracks: JudgedTracks) -> AnyFloats:
    """Computes the share of each seed's genre among its recommendations by other artists, [n]; NaN for none."""
    catalogue, shares = tracks.catalogue, []
    artists = np.array([artist_key(tracks, name) or name for name in catalogue.tracks])
    for name, genre, rows in zip(tracks.seeds.tracks, tracks.seeds.genres, lists, strict=True):
        others = rows[artists[rows] != artist_key(tracks, name)]
        shares.append(float(np.mean(catalogue.genres[others] == genre)) if len(others) else math.nan)
    return np.array(shares)


def same_artist_share(k: int, lists: Lists, tracks: JudgedTracks) -> AnyFloats:
    """Computes for each seed how many of its first k recommendations are by its artist, [n].

    It is a share of the most that can be: k, or the number of other tracks by the artist in the catalogue; NaN for
    seeds whose artist is unknown or has no other track there.
    """
    artists = [artist_key(tracks, name) for name in tracks.catalogue.tracks]
    sizes, shares = Counter(artists), []
    for name, rows in zip(tracks.seeds.tracks, lists, strict=True):
        own = artist_key(tracks, name)
        others = sizes[own] - (tracks.pool is None) if own else 0
        hits = sum(artists[row] == own for row in rows[:k])
        shares.append(hits / min(k, others) if others else math.nan)
    return np.array(shares)


def different_artists(lists: Lists, tracks: JudgedTracks) -> AnyFloats:
    """Counts the artists in each list, [n]; each unknown one is another."""
    artists = [artist_key(tracks, name) or name for name in tracks.catalogue.tracks]
    return np.array([len({artists[row] for row in rows}) for rows in lists], np.float64)


def copies_in(lists: Lists, tracks: JudgedTracks, recordings: Mapping[str, str]) -> AnyFloats:
    """Counts the tracks in each list that are the same recording as the seed, or as a track before them, [n]."""
    of_row = [recordings[name] for name in tracks.catalogue.tracks]
    seeds = (recordings[name] for name in tracks.seeds.tracks)
    counts = [
        len(rows) + 1 - len({seed, *(of_row[row] for row in rows)}) for seed, rows in zip(seeds, lists, strict=True)
    ]
    return np.array(counts, np.float64)


def intra_list_diversity(lists: Lists, catalogue: Predictions) -> AnyFloats:
    """Computes the mean of 1 - cosine over the pairs of each list, [n] (Ziegler et al. 2005); NaN below two tracks."""
    return np.array([_mean_distance(catalogue.embedding[rows]) for rows in lists])


def seed_distance(lists: Lists, tracks: JudgedTracks) -> AnyFloats:
    """Computes the mean of 1 - cosine to the seed over each list, [n]; NaN for empty lists.

    It is the novelty by distance of Vargas and Castells (2011), with the seed as what is known.
    """
    pairs = zip(tracks.seeds.embedding, lists, strict=True)
    return np.array(
        [1 - float(np.mean(tracks.catalogue.embedding[rows] @ seed)) if len(rows) else math.nan for seed, rows in pairs]
    )


def occurrences(lists: Lists, size: int) -> NDArray[np.bool_]:
    """Returns which tracks of a catalogue each list has, [n, size]."""
    has = np.zeros((len(lists), size), np.bool_)
    for seed, rows in enumerate(lists):
        has[seed, rows] = True
    return has


def coverage(has: NDArray[np.bool_], weights: AnyFloats) -> float:
    """Computes the share of the catalogue that some list has.

    Args:
        has: see ``occurrences``.
        weights: how often each seed counts, [n].
    """
    return float(has[weights > 0].any(0).mean())


def occurrence_skew(has: NDArray[np.bool_], weights: AnyFloats) -> float:
    """Computes the skewness of the number of lists that a track is in: high if a few tracks, the hubs, are in many.

    See Radovanovic, Nanopoulos and Ivanovic, "Hubs in Space" (2010). NaN if all tracks are in the same number of lists.

    Args:
        has: see ``occurrences``.
        weights: how often each seed counts, [n].
    """
    counts = weights @ has
    spread = float(counts.std())
    return float(np.mean((counts - counts.mean()) ** 3)) / spread**3 if spread else math.nan


def artist_key(tracks: JudgedTracks, name: str) -> str:
    """Returns the artist of a track without case, "" if unknown."""
    return tracks.owners.artists.get(name, "").casefold().strip()


def _mean_distance(embedding: AnyFloats) -> float:
    if len(embedding) < 2:
        return math.nan
    cosines = (embedding @ embedding.T)[np.triu_indices(len(embedding), 1)]
    return 1 - float(cosines.mean())
