"""Figures of a cross-validation over artists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segue.trainer.accurate.cross_validation import (
    CrossValidated,
    Design,
    TagArrays,
    artist_folds,
    precision_of_mean_tags,
)
from segue.trainer.accurate.head import REGRESSION
from segue.trainer.accurate.novelty import held_out_genre_auroc
from segue.trainer.arrays import AnyFloats
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.evaluation.calibration import cross_fitted

BASELINE: Design = (REGRESSION,)
"""The baseline of a head: its own logistic regression on the mean of the tags."""

_MIN_HELD_OUT_GENRES = 3


@dataclass(frozen=True)
class Scores:
    """Scores of each track, as means over the draws.

    Attributes:
        loss: log-loss [n] in nats, at temperatures that other tracks fitted.
        right: share [n] of the draws in which the first genre is right.
        precision: genre precision at 10 [n] with tracks of other artists recommended, NaN where there are too few.
    """

    loss: AnyFloats
    right: AnyFloats
    precision: AnyFloats

    @classmethod
    def of(cls, draws: Sequence[CrossValidated]) -> Scores:
        """Computes the scores of predictions for the same tracks."""
        return cls(
            loss=np.mean([log_losses(draw) for draw in draws], 0),
            right=np.mean([draw.posterior.argmax(1) == draw.genres for draw in draws], 0),
            precision=np.mean([draw.precision for draw in draws], 0),
        )

    def gains(self, other: Scores) -> Mapping[str, AnyFloats]:
        """Returns by how much the scores are better than others, by name, for each track [n]."""
        return {
            "log-loss": other.loss - self.loss,
            "accuracy": self.right - other.right,
            "P@10": self.precision - other.precision,
        }


def log_losses(validated: CrossValidated) -> AnyFloats:
    """Computes the log-loss [n] of each track in nats, at temperatures that other tracks fitted."""
    fitted = cross_fitted(validated.posterior, validated.genres)
    posterior = validated.posterior if fitted is None else fitted
    losses: AnyFloats = -np.log(np.maximum(posterior[np.arange(len(posterior)), validated.genres], 1e-30))
    return losses


def artist_figures(arrays: TagArrays, validated: CrossValidated) -> dict[str, float]:
    """Computes the intervals of accuracy and log-loss over artists, the precision at 10, and the number of artists.

    Returns:
        By name: artists (the number of artists with equally many tracks that would be worth as much), accuracy_low,
        accuracy_high, log_loss_low, log_loss_high (nats, at temperatures that other tracks fitted) and, with enough
        tracks, precision_at_10_other_artists, its _low and its _high.
    """
    sample, scores = ArtistSample(arrays.genres, arrays.groups), Scores.of([validated])
    figures = {"artists": sample.effective_artists()}
    for name, interval in (
        ("accuracy", sample.share_interval(scores.right)),
        ("log_loss", sample.interval(scores.loss)),
    ):
        figures |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    if not np.isnan(scores.precision).any():
        name, interval = "precision_at_10_other_artists", sample.interval(scores.precision)
        figures |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return figures


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


def baseline_figures(arrays: TagArrays, validated: CrossValidated) -> dict[str, float]:
    """Computes accuracy and log-loss of the baseline in the same folds, and the precision at 10 of the mean tags."""
    scores = Scores.of([validated])
    figures = {
        "accuracy_of_linear_head": float(scores.right.mean()),
        "log_loss_of_linear_head": float(scores.loss.mean()),
    }
    precision = precision_of_mean_tags(arrays)
    if not np.isnan(precision).any():
        figures["precision_at_10_of_mean_tags"] = float(precision.mean())
    return figures
