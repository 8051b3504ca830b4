"""Judges an artifact on tracks whose genre is known, through the very path that the server takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segue.core.model.saved_model import Model, Prediction
from segue.trainer.data.labelled_windows import LabelledWindows
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.predictions import Predictions


def predict(model: Model, heard: Sequence[LabelledWindows]) -> Predictions:
    """Asks a network about tracks.

    Raises:
        DataUnusable: there are none, or one has a genre that the network does not know.
    """
    genres = genre_positions(model.manifest.labels, [clip.genre for clip in heard])
    answers = model.predict([clip.windows for clip in heard])
    return collect_predictions(model, [clip.track for clip in heard], genres, answers)


def genre_positions(labels: Sequence[str], genres: Sequence[str]) -> NDArray[np.int64]:
    """The genres of tracks as positions among the labels."""
    if not genres:
        raise DataUnusable("There are no tracks to judge the network by. Name another input, split or side.")
    if unknown := sorted(set(genres) - set(labels)):
        raise DataUnusable(
            f"The network does not know {', '.join(unknown)}; it tells {', '.join(labels)} apart. "
            "Leave those clips out, or train a network on them."
        )
    return np.array([labels.index(genre) for genre in genres])


def collect_predictions(
    model: Model, tracks: Sequence[str], genres: NDArray[np.int64], answers: Sequence[Prediction]
) -> Predictions:
    """Joins the answers for single tracks.

    Args:
        model: the network that gave them.
        tracks: the names of the tracks, [n].
        genres: their true genres, [n], as positions among the model's labels.
        answers: what the network predicts for each track, [n].
    """
    return Predictions(
        tracks=tuple(tracks),
        genres=genres,
        labels=model.manifest.labels,
        posterior=np.stack([answer.posterior for answer in answers]),
        embedding=np.stack([answer.embedding for answer in answers]),
        window_posteriors=tuple(answer.window_posterior for answer in answers),
    )
