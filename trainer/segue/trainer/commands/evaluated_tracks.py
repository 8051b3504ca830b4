"""The tracks that ``segue-trainer evaluate`` predicts: of audio, of an archive, or of a file of tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from segue.core.features.fingerprint import Fingerprint, fingerprint
from segue.core.model.trained_model import Model
from segue.trainer import console
from segue.trainer.accurate.predict import predict_tagged
from segue.trainer.accurate.tags import caution_about_layer, mean_tags, read_tags
from segue.trainer.data.inputs import Selects, open_input, select_all
from segue.trainer.data.labelled_windows import LabelledWindows, chunks_of
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.predict import predict
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.settings import EvaluateSettings
from segue.trainer.splits.split import Split


class EvaluatedTracks(Protocol):
    """Labelled tracks that a network can predict."""

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""

    @property
    def fingerprints(self) -> Mapping[str, Fingerprint]:
        """The fingerprints of the tracks that were predicted, as far as they have some."""

    def predict(self, split: Split | None, side: str | None) -> Predictions:
        """Predicts the tracks on a side of a split, or all of them where either is None."""

    def comparable(self, predictions: Predictions) -> Predictions:
        """Returns predictions for tracks of this input with vectors by which they can be compared."""


def open_tracks(settings: EvaluateSettings, model: Model) -> EvaluatedTracks:
    """Opens the input that the settings name.

    Raises:
        SegueError: there is none, or it cannot be used.
    """
    if settings.tags:
        return _TaggedTracks(settings.tags, model)
    if settings.source:
        return _AudioTracks(settings.source, model)
    raise DataUnusable("There is no input to evaluate on. Name one with --input or --tags.")


class _TaggedTracks:
    """The tracks of a file of tags, which is read once."""

    def __init__(self, path: Path, model: Model) -> None:
        self._path, self._tracks, self._model = path, read_tags(path), model
        self.fingerprints: Mapping[str, Fingerprint] = {}
        for sentence in caution_about_layer(path, self._tracks):
            console.notify(sentence)

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""
        return {track.track: track.genre for track in self._tracks}

    def predict(self, split: Split | None, side: str | None) -> Predictions:
        """Predicts the tracks on a side of a split, or all of them where either is None."""
        selects = _selects_side(split, side)
        return predict_tagged(self._model, [track for track in self._tracks if selects(track.track)])

    def comparable(self, predictions: Predictions) -> Predictions:
        """Returns predictions with the embeddings, or with the mean tags where these are not known."""
        if predictions.has_embeddings:
            return predictions
        console.notify("--recommend compares the tracks by the cosine of their mean tags instead")
        by_name = {track.track: track for track in self._tracks}
        served = [by_name[name] for name in predictions.tracks]
        return replace(predictions, embedding=mean_tags(served, self._model.manifest.windows))


class _AudioTracks:
    """The tracks of a folder of audio or of an archive; each is extracted once."""

    def __init__(self, path: Path, model: Model) -> None:
        self._input, self._model = open_input(path, model.manifest.features), model
        self._chunks: list[LabelledWindows] | None = None
        self._fingerprints: dict[str, Fingerprint] = {}

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""
        return self._input.genres

    def predict(self, split: Split | None, side: str | None) -> Predictions:
        """Predicts the tracks, or the chunks, on a side of a split, or all of them where either is None."""
        selects = _selects_side(split, side)
        if not (split and split.leaky):
            return predict(self._model, self._extract(selects))
        if self._chunks is None:
            self._chunks = [chunk for clip in self._extract(select_all) for chunk in chunks_of(clip)]
        return predict(self._model, [chunk for chunk in self._chunks if selects(chunk.track)])

    @property
    def fingerprints(self) -> Mapping[str, Fingerprint]:
        """The fingerprints of the tracks that were predicted, as far as they have some."""
        return self._fingerprints

    def comparable(self, predictions: Predictions) -> Predictions:
        """Returns the predictions, which have embeddings."""
        return predictions

    def _extract(self, selects: Selects) -> list[LabelledWindows]:
        with console.progress_bar("extracting windows") as progress:
            extracted, dropped = self._input.extract(self._model.manifest.windows, selects, progress)
        console.notify_dropped(dropped)
        for track in extracted:
            if (found := fingerprint(track.windows, self._model.manifest.features)) is not None:
                self._fingerprints[track.track] = found
        return extracted


def _selects_side(split: Split | None, side: str | None) -> Selects:
    if split is None or side is None:
        return select_all
    return lambda track: split.side(track) == side
