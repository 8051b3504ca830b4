"""Figures of a cross-validation over artists."""

from __future__ import annotations

import numpy as np

from segue.trainer.accurate.cross_validation import Design, TagArrays
from segue.trainer.accurate.head import REGRESSION
from segue.trainer.accurate.novelty import held_out_genre_auroc
from segue.trainer.cross_validation.folds import artist_folds
from segue.trainer.cross_validation.scores import CrossValidated, Scores, other_artists_precision

BASELINE: Design = (REGRESSION,)
"""The baseline of a head: its own logistic regression on the mean of the tags."""

_MIN_HELD_OUT_GENRES = 3


def novelty_figures(arrays: TagArrays, labels: tuple[str, ...], seed: int) -> dict[str, float]:
    """Computes how well the novelty separates held-out genres.

    With two genres, one is left when the other is held out. All tracks are as far from that genre as from all tracks
    together then, so nothing is measured.

    Args:
        arrays: the tracks.
        labels: the genres.
        seed: seed of the folds.

    Returns:
        By name: auroc_held_out_genre, and its _low and its _high where they can be measured; nothing for two genres.
    """
    if len(labels) < _MIN_HELD_OUT_GENRES:
        return {}
    sample, folds = arrays.sample, artist_folds(arrays.genres, arrays.groups, labels, seed)
    area, name = held_out_genre_auroc(arrays.means, arrays.genres, folds, sample), "auroc_held_out_genre"
    figures = {name: area.mean, f"{name}_low": area.low, f"{name}_high": area.high}
    return {name: figure for name, figure in figures.items() if not np.isnan(figure)}


def baseline_figures(arrays: TagArrays, validated: CrossValidated) -> dict[str, float]:
    """Computes accuracy and log-loss of the baseline in the same folds.

    Where the precision at 10 of the embeddings is known, also that of the mean tags.
    """
    scores = Scores.of([validated])
    figures = {
        "accuracy_of_linear_head": float(scores.right.mean()),
        "log_loss_of_linear_head": float(scores.loss.mean()),
    }
    if not np.isnan(scores.precision).any():
        precision = other_artists_precision(arrays.genres, arrays.groups, arrays.means)
        figures["precision_at_10_of_mean_tags"] = float(precision.mean())
    return figures
