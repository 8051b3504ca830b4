"""Analyzes predictions for a report: calibration, confusion, genres, windows and recommendations."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from segue.trainer.evaluation.calibration import cross_fitted, reliability_bins, remove_temperature
from segue.trainer.evaluation.metrics import classification_metrics, evaluation_metrics
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.results import Analysis, GenreRow
from segue.trainer.evaluation.retrieval import precision_table


def analyze_predictions(
    predictions: Predictions, pool: Predictions | None, temperature: float, *, refit: bool = True
) -> Analysis:
    """Computes all that a report shows.

    Args:
        predictions: predictions for the evaluated tracks, at the temperature.
        pool: predictions for other tracks to recommend from, or None.
        temperature: temperature of the predictions, above 0.
        refit: the temperature was fitted on evaluated clips, so that others must fit it to evaluate it.
    """
    raw = remove_temperature(predictions.posterior, temperature)
    fitted = cross_fitted(raw, predictions.genres) if refit else None
    figures = evaluation_metrics(predictions)
    for name, posterior in (("raw", raw), ("cross_fitted", fitted)):
        if posterior is not None:
            metrics = classification_metrics(posterior, predictions.genres)
            figures |= {f"{metric}_{name}": metrics[metric] for metric in ("log_loss", "ece")}
    every = np.arange(len(predictions.labels))
    return Analysis(
        predictions=predictions,
        figures=figures | {"window_agreement": window_agreement(predictions)},
        confusion=confusion_matrix(predictions.genres, predictions.posterior.argmax(1), labels=every),
        genres=_genre_rows(predictions),
        before=reliability_bins(raw, predictions.genres),
        after=reliability_bins(predictions.posterior if fitted is None else fitted, predictions.genres),
        precisions=tuple(precision_table(predictions, pool)),
    )


def window_agreement(predictions: Predictions) -> float:
    """Computes the share of a clip's windows whose first genre is the clip's: the mean over clips, in [0, 1]."""
    shares = [
        (windows.argmax(1) == posterior.argmax()).mean()
        for windows, posterior in zip(predictions.window_posteriors, predictions.posterior, strict=True)
    ]
    return float(np.mean(shares))


def _genre_rows(predictions: Predictions) -> tuple[GenreRow, ...]:
    every = np.arange(len(predictions.labels))
    guesses = predictions.posterior.argmax(1)
    columns = precision_recall_fscore_support(predictions.genres, guesses, labels=every, zero_division=0)
    return tuple(
        GenreRow(genre, int(clips), float(precision), float(recall), float(f1))
        for genre, precision, recall, f1, clips in zip(predictions.labels, *columns, strict=True)
    )
