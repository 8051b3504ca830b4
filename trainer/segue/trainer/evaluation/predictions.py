"""Judges an artifact on tracks whose genre is known, through the very path that the server takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segue.core.model.saved_model import Model, Prediction
from segue.trainer.accurate.musicnn import FEATURES, TAGS
from segue.trainer.accurate.tags import TaggedTrack
from segue.trainer.data.dataset import Floats, LabelledWindows, track_of
from segue.trainer.data.npz import write_npz
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.metrics import (
    bootstrap_interval,
    classification_metrics,
    precision_at,
    precision_leave_one_out,
    wilson_interval,
)

FEW, MANY = 5, 10


@dataclass(frozen=True)
class Predictions:
    """What a network says of tracks.

    Attributes:
        tracks: their names [n].
        genres: their true genres [n], as positions among the labels.
        labels: the genres in the order of the posterior.
        posterior: [n, genres]; each row sums to 1.
        embedding: [n, e], of length 1.
        window_posteriors: of each track's windows, [w, genres].
    """

    tracks: tuple[str, ...]
    genres: NDArray[np.int64]
    labels: tuple[str, ...]
    posterior: Floats
    embedding: Floats
    window_posteriors: tuple[Floats, ...]

    def save(self, path: Path) -> None:
        """Writes ``track`` [n], ``genres`` [genres], ``posterior`` [n, genres] and ``embedding`` [n, e] as npz."""
        fields = {"track": np.array(self.tracks), "genres": np.array(self.labels)}
        write_npz(path, fields | {"posterior": self.posterior, "embedding": self.embedding})


def predict(model: Model, heard: Sequence[LabelledWindows]) -> Predictions:
    """Asks a network about tracks.

    Raises:
        DataUnusable: there are none, or one has a genre that the network does not know.
    """
    genres = _known(model.manifest.labels, [clip.genre for clip in heard])
    answers = model.predict([clip.windows for clip in heard])
    return _predictions(model, [clip.track for clip in heard], genres, answers)


def predict_tagged(model: Model, tagged: Sequence[TaggedTrack]) -> Predictions:
    """Asks the head of a network over tags, its signature ``decide``, about tracks whose tags are known.

    Raises:
        DataUnusable: there are none, one has a genre that the network does not know, or the network is of another kind.
    """
    manifest = model.manifest
    if manifest.features != FEATURES or manifest.feature_width != TAGS:
        raise DataUnusable(
            f"{manifest.model_id} does not decide on MusiCNN's {TAGS} tags. Name one that does by --model, such as "
            "segue-accurate, or judge this one by audio (--input)."
        )
    genres = _known(manifest.labels, [track.genre for track in tagged])
    answers = model.decide([track.spread(manifest.windows) for track in tagged])
    return _predictions(model, [track.track for track in tagged], genres, answers)


def _known(labels: Sequence[str], genres: Sequence[str]) -> NDArray[np.int64]:
    """The genres of tracks as positions among the labels."""
    if not genres:
        raise DataUnusable("There are no tracks to judge the network by. Name another input, split or side.")
    if unknown := sorted(set(genres) - set(labels)):
        raise DataUnusable(
            f"The network does not know {', '.join(unknown)}; it tells {', '.join(labels)} apart. "
            "Leave those clips out, or train a network on them."
        )
    return np.array([labels.index(genre) for genre in genres])


def _predictions(
    model: Model, tracks: Sequence[str], genres: NDArray[np.int64], answers: Sequence[Prediction]
) -> Predictions:
    return Predictions(
        tracks=tuple(tracks),
        genres=genres,
        labels=model.manifest.labels,
        posterior=np.stack([answer.posterior for answer in answers]),
        embedding=np.stack([answer.embedding for answer in answers]),
        window_posteriors=tuple(answer.window_posterior for answer in answers),
    )


def judge(predictions: Predictions, pool: Predictions | None = None) -> dict[str, float]:
    """The figures of an evaluation, by name.

    Args:
        predictions: the tracks that are judged.
        pool: the tracks that are recommended from; None for the judged tracks, each left out for itself.

    Returns:
        n, accuracy, accuracy_low and accuracy_high (its 95 % interval: Wilson's, or by resampling the tracks where
        chunks are judged), log_loss (nats), ece, macro_f1, and precision_at_5 and precision_at_10 where there are as
        many tracks to recommend.
    """
    count = len(predictions.tracks)
    low, high = _interval(predictions)
    choice = len(pool.tracks) if pool else count - 1
    return {
        "n": count,
        **classification_metrics(predictions.posterior, predictions.genres),
        "accuracy_low": low,
        "accuracy_high": high,
        **{f"precision_at_{k}": _precision(k, predictions, pool) for k in (FEW, MANY) if k <= choice},
    }


def _interval(predictions: Predictions) -> tuple[float, float]:
    right = predictions.posterior.argmax(1) == predictions.genres
    # Chunks of one track are right or wrong together.
    if any(track_of(track) != track for track in predictions.tracks):
        return bootstrap_interval(right.astype(np.float64), predictions.tracks)
    return wilson_interval(int(right.sum()), len(right))


def _precision(k: int, asked: Predictions, pool: Predictions | None) -> float:
    if pool is None:
        return precision_leave_one_out(k, asked.embedding, asked.genres)
    return precision_at(k, asked.embedding, asked.genres, pool.embedding, pool.genres)
