"""Figures of a cross-validation over artists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segue.trainer.accurate.cross_validation import CrossValidated, Design, TagArrays, artist_folds
from segue.trainer.accurate.head import REGRESSION
from segue.trainer.accurate.novelty import held_out_genre_auroc
from segue.trainer.arrays import AnyFloats, Floats
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.evaluation.calibration import cross_fitted
from segue.trainer.evaluation.precision import K_VALUES, other_artists_precision

BASELINE: Design = (REGRESSION,)
"""The baseline of a head: its own logistic regression on the mean of the tags."""

_MIN_HELD_OUT_GENRES = 3


@dataclass(frozen=True)
class Scores:
    """Scores of each track, as means over the draws.

    Attributes:
        loss: log-loss [n] in nats, at temperatures that other tracks fitted.
        right: share [n] of the draws in which the first genre is right.
    """

    loss: AnyFloats
    right: AnyFloats

    @classmethod
    def of(cls, draws: Sequence[CrossValidated]) -> Scores:
        """Computes the scores of predictions for the same tracks."""
        return cls(
            loss=np.mean([log_losses(draw) for draw in draws], 0),
            right=np.mean([draw.posterior.argmax(1) == draw.genres for draw in draws], 0),
        )

    def gains(self, other: Scores) -> Mapping[str, AnyFloats]:
        """Returns by how much the scores are better than others, by name, for each track [n]."""
        return {"log-loss": other.loss - self.loss, "accuracy": self.right - other.right}


def log_losses(validated: CrossValidated) -> AnyFloats:
    """Computes the log-loss [n] of each track in nats, at temperatures that other tracks fitted."""
    fitted = cross_fitted(validated.posterior, validated.genres)
    posterior = validated.posterior if fitted is None else fitted
    losses: AnyFloats = -np.log(np.maximum(posterior[np.arange(len(posterior)), validated.genres], 1e-30))
    return losses


def artist_figures(arrays: TagArrays, validated: CrossValidated) -> dict[str, float]:
    """Computes the intervals of accuracy and log-loss over artists, and the number of artists.

    Returns:
        By name: artists (the number of artists with equally many tracks that would be worth as much), accuracy_low,
        accuracy_high, log_loss_low and log_loss_high (nats, at temperatures that other tracks fitted).
    """
    sample, scores = ArtistSample(arrays.genres, arrays.groups), Scores.of([validated])
    figures = {"artists": sample.effective_artists()}
    for name, interval in (
        ("accuracy", sample.share_interval(scores.right)),
        ("log_loss", sample.interval(scores.loss)),
    ):
        figures |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return figures


def precision_figures(arrays: TagArrays) -> dict[str, float]:
    """Computes the genre precision at 10 of recommendations, with the tracks of other artists recommended.

    Returns:
        By name: precision_at_10_other_artists with its _low and its _high, and precision_at_10_of_mean_tags, that of
        the cosine of the mean tags; nothing where the embeddings are not known or a track has too few others.
    """
    precision = _precision_at_10(arrays, arrays.means)
    if not arrays.embedding.shape[1] or np.isnan(precision).any():
        return {}
    interval = ArtistSample(arrays.genres, arrays.groups).interval(_precision_at_10(arrays, arrays.embedding))
    name = "precision_at_10_other_artists"
    figures = {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return figures | {"precision_at_10_of_mean_tags": float(precision.mean())}


def _precision_at_10(arrays: TagArrays, vectors: Floats) -> AnyFloats:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return other_artists_precision(K_VALUES[-1], unit, arrays.genres, arrays.groups)


def novelty_figures(arrays: TagArrays, labels: tuple[str, ...], seed: int) -> dict[str, float]:
    """Computes how well the novelty separates held-out genres.

    With two genres, one is left when the other is held out. All tracks are as far from that genre as from all tracks
    together then, so nothing is measured.

    Args:
        arrays: the tracks.
        labels: the genres.
        seed: seed of the folds.

    Returns:
        By name: auroc_held_out_genre, its _low and its _high; nothing for two genres.
    """
    if len(labels) < _MIN_HELD_OUT_GENRES:
        return {}
    sample, folds = ArtistSample(arrays.genres, arrays.groups), artist_folds(arrays, labels, seed)
    area, name = held_out_genre_auroc(arrays.means, arrays.genres, folds, sample), "auroc_held_out_genre"
    return {name: area.mean, f"{name}_low": area.low, f"{name}_high": area.high}


def baseline_figures(validated: CrossValidated) -> dict[str, float]:
    """Computes accuracy and log-loss of the baseline in the same folds."""
    scores = Scores.of([validated])
    return {
        "accuracy_of_linear_head": float(scores.right.mean()),
        "log_loss_of_linear_head": float(scores.loss.mean()),
    }
