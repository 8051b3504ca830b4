"""Finds the artists of evaluated tracks in GTZAN's index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from segue.trainer.arrays import Positions
from segue.trainer.data.dataset import track_of
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.splits.split import artist_groups, gtzan_artists


def sample_tracks(tracks: Sequence[str], genres: Positions) -> ArtistSample:
    """Finds the artists of tracks; a track that is not in GTZAN's index counts as an artist of its own.

    Args:
        tracks: names of the tracks, or of chunks of them, [n].
        genres: genre of each [n], as a number from 0.
    """
    names = [track_of(track) for track in tracks]
    groups = artist_groups(set(names))
    return ArtistSample(genres, np.array([groups[name] for name in names]))


def describe_held_out(tracks: Iterable[str]) -> str:
    """Returns the words for what folds hold out: "its artist", or "it" if GTZAN's index names no track's artist."""
    artists = gtzan_artists()
    return "its artist" if any(artists.get(track) for track in tracks) else "it"
