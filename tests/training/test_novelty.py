"""The novelty of clips, on made-up tags."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from segue.trainer.accurate.novelty import Novelty, held_out_genre_auroc, novelty_limit
from segue.trainer.arrays import Floats
from segue.trainer.evaluation.artists import ArtistSample


def tags_of(genres: list[int], seed: int = 0) -> Floats:
    """Mean tags of tracks: those of a genre have five high tags of their own."""
    tags = 0.2 * np.random.default_rng(seed).random((len(genres), 50))
    for row, genre in enumerate(genres):
        tags[row, 5 * genre : 5 * genre + 5] += 0.5
    return tags.astype(np.float32)


def measure(novelty: Novelty, means: Floats) -> Floats:
    """The novelty of each track."""
    measured: Floats = novelty(tf.constant(means)).numpy()
    return measured


def test_unknown_genres_are_further_away() -> None:
    """Tracks of a genre that was not fitted have a higher novelty than all of the known genres."""
    known = [number % 4 for number in range(80)]
    novelty = Novelty.fit(tags_of(known), np.array(known))
    assert measure(novelty, tags_of(known, seed=1)).max() < measure(novelty, tags_of([6] * 20, seed=1)).min()


def test_it_is_the_relative_mahalanobis_distance() -> None:
    """It is the distance to the nearest genre, less that to all tracks, with covariances shrunk by 0.2."""
    genres = np.arange(60) % 3
    means, clip = tags_of(genres.tolist()), tags_of([1], seed=2)[0].astype(float)

    def distance(centre: Floats, residuals: Floats) -> float:
        covariance = np.cov(residuals.T)
        shrunk = 0.8 * covariance + 0.2 * np.trace(covariance) / 50 * np.eye(50)
        return float((clip - centre) @ np.linalg.solve(shrunk, clip - centre))

    centres = np.stack([means[genres == genre].mean(0) for genre in range(3)])
    within = min(distance(centre, means - centres[genres]) for centre in centres)
    total = distance(means.mean(0), means - means.mean(0))
    expected = pytest.approx(within - total, rel=1e-3)
    assert expected == measure(Novelty.fit(means, genres), clip[None].astype(np.float32))[0]


def test_genres_that_are_held_out() -> None:
    """Clearly different genres are separated; random genres are not."""
    random = np.random.default_rng(3)
    genres = np.arange(80) % 4
    sample = ArtistSample(genres, np.array([f"artist {number}" for number in range(80)]))
    folds = [(np.delete(np.arange(80), part), part) for part in np.split(np.arange(80), 5)]
    separated = held_out_genre_auroc(tags_of(genres.tolist()), genres, folds, sample)
    alike = held_out_genre_auroc(tags_of([0] * 80), random.permutation(genres), folds, sample)
    assert (1, 1, 1) == (separated.mean, separated.low, separated.high)
    assert alike.low < 0.5 < alike.high


def test_the_limit() -> None:
    """One in ten of the held-out tracks is above it."""
    assert 10 == (np.arange(100) > novelty_limit(np.arange(100.0))).sum()


def test_tracks_that_are_all_the_same() -> None:
    """Copies of one recording have no spread, and other music is still further away."""
    means = np.repeat(tags_of([1]), 4, 0)
    novelty = Novelty.fit(means, np.array([0, 0, 1, 1]))
    assert np.isfinite(measure(novelty, tags_of([5], seed=1))).all()
    assert 0 == measure(novelty, means)[0]
