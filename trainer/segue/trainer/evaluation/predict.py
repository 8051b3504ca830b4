"""Predicts labelled tracks with an artifact, on the same path as the server."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segue.core.model.trained_model import Model, Prediction
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.labelled_windows import LabelledWindows, cut_windows
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.predictions import Predictions


def predict(model: Model, tracks: Sequence[LabelledWindows]) -> Predictions:
    """Predicts tracks from their windows.

    Raises:
        DataUnusable: there are no tracks, or the network does not have the genre of one.
    """
    genres = genre_positions(model.manifest.labels, [track.genre for track in tracks])
    predictions = model.predict([track.windows for track in tracks])
    return collect_predictions(model, [track.track for track in tracks], genres, predictions)


def predict_dataset(model: Model, dataset: Dataset) -> Predictions:
    """Predicts clips from windows that are cut from their columns.

    Raises:
        DataUnusable: there are no clips, or the network does not have the genre of one.
    """
    manifest = model.manifest
    return predict(model, [cut_windows(clip, manifest.features, manifest.windows) for clip in dataset.clips])


def genre_positions(labels: Sequence[str], genres: Sequence[str]) -> NDArray[np.int64]:
    """Returns the genres of tracks as positions among the labels.

    Raises:
        DataUnusable: there are no tracks, or a genre is not among the labels.
    """
    if not genres:
        raise DataUnusable("There are no tracks to evaluate the network on. Name another input, split or side.")
    if unknown := sorted(set(genres) - set(labels)):
        raise DataUnusable(
            f"The network does not have the genres {', '.join(unknown)}; it has {', '.join(labels)}. Leave those clips "
            "out, or train a network on them."
        )
    return np.array([labels.index(genre) for genre in genres])


def collect_predictions(
    model: Model, tracks: Sequence[str], genres: NDArray[np.int64], predictions: Sequence[Prediction]
) -> Predictions:
    """Joins the predictions for single tracks.

    Args:
        model: the network that made them.
        tracks: names of the tracks, [n].
        genres: true genres [n], as positions among the model's labels.
        predictions: prediction for each track, [n].
    """
    return Predictions(
        tracks=tuple(tracks),
        genres=genres,
        labels=model.manifest.labels,
        posterior=np.stack([prediction.posterior for prediction in predictions]),
        embedding=np.stack([prediction.embedding for prediction in predictions]),
        window_posteriors=tuple(prediction.window_posterior for prediction in predictions),
    )
