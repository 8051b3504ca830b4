"""All that a report says of an artifact's answers: calibration, confusion, genres, windows and recommendations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.model_selection import KFold, StratifiedKFold

from segue.trainer.arrays import AnyFloats
from segue.trainer.evaluation.metrics import (
    classification_metrics,
    evaluation_metrics,
    fit_temperature,
    log_softmax,
    reliability_bins,
)
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.results import Analysis, GenreRow
from segue.trainer.evaluation.retrieval import precision_table

_FOLDS = 5


def analyze_predictions(
    judged: Predictions, pool: Predictions | None, temperature: float, *, refit: bool = True
) -> Analysis:
    """Judges answers in every way that a report has.

    Args:
        judged: the answers, with the temperature in them.
        pool: other tracks to recommend from, or None.
        temperature: the one in the answers, above 0.
        refit: whether it was fitted on clips among the judged ones, so that it must be judged by others.
    """
    raw = np.exp(log_softmax(temperature * _log(judged.posterior)))
    fitted = cross_fitted(raw, judged.genres) if refit else None
    figures = evaluation_metrics(judged)
    for name, posterior in (("raw", raw), ("cross_fitted", fitted)):
        if posterior is not None:
            found = classification_metrics(posterior, judged.genres)
            figures |= {f"{metric}_{name}": found[metric] for metric in ("log_loss", "ece")}
    every = np.arange(len(judged.labels))
    return Analysis(
        judged=judged,
        figures=figures | {"window_agreement": window_agreement(judged)},
        confusion=confusion_matrix(judged.genres, judged.posterior.argmax(1), labels=every),
        genres=_genre_rows(judged),
        before=reliability_bins(raw, judged.genres),
        after=reliability_bins(judged.posterior if fitted is None else fitted, judged.genres),
        precisions=tuple(precision_table(judged, pool)),
    )


def cross_fitted(posterior: AnyFloats, genres: NDArray[np.int64]) -> AnyFloats | None:
    """A posterior [n, genres] at temperatures that never saw the clip: each fifth by that of the other four.

    A temperature that is judged by the clips that it was fitted on looks better than it is. Fewer than five clips
    cannot be parted so: None.
    """
    logits, count = _log(posterior), len(genres)
    if count < _FOLDS:
        return None
    rare = np.unique(genres, return_counts=True)[1].min() < _FOLDS
    folder = (KFold if rare else StratifiedKFold)(_FOLDS, shuffle=True, random_state=0)
    fitted = np.empty_like(logits)
    for others, part in folder.split(logits, genres):
        fitted[part] = logits[part] / fit_temperature(logits[others], genres[others])
    return np.exp(log_softmax(fitted))


def window_agreement(judged: Predictions) -> float:
    """The share of a clip's windows whose first genre is the clip's; the mean over clips, in [0, 1]."""
    shares = [
        (windows.argmax(1) == posterior.argmax()).mean()
        for windows, posterior in zip(judged.window_posteriors, judged.posterior, strict=True)
    ]
    return float(np.mean(shares))


def _genre_rows(judged: Predictions) -> tuple[GenreRow, ...]:
    every = np.arange(len(judged.labels))
    columns = precision_recall_fscore_support(judged.genres, judged.posterior.argmax(1), labels=every, zero_division=0)
    return tuple(
        GenreRow(genre, int(clips), float(precision), float(recall), float(f1))
        for genre, precision, recall, f1, clips in zip(judged.labels, *columns, strict=True)
    )


def _log(posterior: AnyFloats) -> AnyFloats:
    logarithm: AnyFloats = np.log(np.maximum(posterior.astype(np.float64), 1e-30))
    return logarithm
