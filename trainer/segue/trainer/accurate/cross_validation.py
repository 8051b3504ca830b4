"""Evaluates heads by cross-validation over artists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from segue.trainer.accurate.head import JUDGES, HeadPlan, train_head
from segue.trainer.accurate.head_graph import HeadGraph
from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.arrays import Floats, Positions
from segue.trainer.cross_validation.folds import artist_folds
from segue.trainer.cross_validation.scores import CrossValidated, other_artists_precision
from segue.trainer.data.tagged_copies import tagged_copies
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.splits.split import artist_groups

# As in TensorFlow's l2_normalize.
_MIN_LENGTH = 1e-6

Design = tuple[str, ...]
"""The judges of a head that count; see ``segue.trainer.accurate.head.JUDGES``."""


@dataclass(frozen=True)
class CrossValidatedHead(CrossValidated):
    """Predictions for tracks by heads that were trained without their artists.

    Attributes:
        novelty: novelty of each track [n], by the same heads.
    """

    novelty: Floats


def cross_validate(
    tracks: Sequence[TaggedTrack],
    labels: tuple[str, ...],
    plan: HeadPlan,
    designs: Sequence[Design] = (JUDGES,),
    report: Callable[[int], None] = lambda fold: None,
) -> dict[Design, CrossValidatedHead]:
    """Trains a head for each of five folds that keep the tracks of an artist together.

    Args:
        tracks: the tracks.
        labels: the genres, in the order of the posterior.
        plan: settings of the heads; its seed also draws the folds.
        designs: judges that predict together.
        report: called before each fold with its number, from 0.

    Returns:
        The predictions of each design, by the same heads.

    Raises:
        DataUnusable: a genre has too few artists for five folds.
    """
    arrays = TagArrays.of(tracks, labels, plan.windows)
    results: dict[Design, dict[int, _TrackResult]] = {design: {} for design in designs}
    for fold, (train, held_out) in enumerate(artist_folds(arrays.genres, arrays.groups, labels, plan.seed)):
        report(fold)
        head = train_head([tracks[row] for row in train], labels, plan)
        for design, by_row in results.items():
            predicted = _predict(HeadGraph(head, judges=design), arrays)
            by_row |= {row: _result(arrays, row, predicted) for row in held_out.tolist()}
    # The heads have no part in the embeddings, so that it is the same for all designs.
    precision = other_artists_precision(arrays.genres, arrays.groups, arrays.embedding)
    return {design: _collect(arrays.genres, by_row, precision) for design, by_row in results.items()}


def pad_tags(tracks: Sequence[TaggedTrack], windows: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the tags [n, windows, 50] of the served windows, and a mask [n, windows], true where one is present."""
    tags = np.zeros((len(tracks), windows, TAGS), np.float32)
    mask = np.zeros((len(tracks), windows), bool)
    for row, track in enumerate(tracks):
        served = track.spread(windows).tags
        tags[row, : len(served)], mask[row, : len(served)] = served, True
    return tags, mask


@dataclass(frozen=True)
class TagArrays:
    """Tracks as arrays.

    Attributes:
        genres: genres [n], as positions among the labels.
        groups: artists [n]; copies of one recording count as of one artist.
        tags: tags [n, w, 50].
        mask: [n, w], true where a window is present.
        means: mean tags [n, 50].
        embedding: see ``embed``.
    """

    genres: Positions
    groups: NDArray[np.str_]
    tags: Floats
    mask: NDArray[np.bool_]
    means: Floats
    embedding: Floats

    @classmethod
    def of(cls, tracks: Sequence[TaggedTrack], labels: tuple[str, ...], windows: int) -> TagArrays:
        """Collects the arrays of tracks, with at most ``windows`` windows of each."""
        tags, mask = pad_tags(tracks, windows)
        groups = artist_groups((track.track for track in tracks), tagged_copies(tracks))
        return cls(
            genres=np.array([labels.index(track.genre) for track in tracks]),
            groups=np.array([groups[track.track] for track in tracks]),
            tags=tags,
            mask=mask,
            means=(tags.sum(1) / mask.sum(1, keepdims=True)).astype(np.float32),
            embedding=embed(tracks, windows),
        )

    @property
    def sample(self) -> ArtistSample:
        """The genres and artists of the tracks."""
        return ArtistSample(self.genres, self.groups)


def embed(tracks: Sequence[TaggedTrack], windows: int) -> Floats:
    """Computes the embeddings of tracks as ``segue-accurate`` does.

    Args:
        tracks: the tracks.
        windows: largest number of windows of a track that are served.

    Returns:
        The embeddings [n, 200], each of length 1; [n, 0] where the layer of a track is not known.
    """
    layers = [layer for track in tracks if (layer := track.spread(windows).layer) is not None]
    if len(layers) < len(tracks):
        return np.zeros((len(tracks), 0), np.float32)
    means = np.stack([layer.mean(0) for layer in layers])
    embedding: Floats = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _MIN_LENGTH)
    return embedding


@dataclass(frozen=True)
class _TrackResult:
    """Predictions for one track by the head that was trained without its artist."""

    posterior: Floats
    windows: Floats
    novelty: float


def _predict(graph: HeadGraph, arrays: TagArrays) -> dict[str, Floats]:
    predicted = graph(tf.constant(arrays.tags), tf.constant(arrays.mask))
    return {name: value.numpy() for name, value in predicted.items()}


def _collect(genres: Positions, results: dict[int, _TrackResult], precision: NDArray[np.float64]) -> CrossValidatedHead:
    ordered = [results[row] for row in range(len(genres))]
    return CrossValidatedHead(
        genres=genres,
        posterior=np.stack([result.posterior for result in ordered]),
        window_posteriors=tuple(result.windows for result in ordered),
        precision=precision,
        novelty=np.array([result.novelty for result in ordered], np.float32),
    )


def _result(arrays: TagArrays, row: int, predicted: dict[str, Floats]) -> _TrackResult:
    return _TrackResult(
        posterior=predicted["posterior"][row],
        windows=predicted["window_posterior"][row][arrays.mask[row]],
        novelty=float(predicted["novelty"][row]),
    )
