"""Runs ``segue-trainer evaluate``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import click

from segue.core.model.known_models import require_model
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.quantities import quantity
from segue.trainer import console
from segue.trainer.accurate.predict import predict_tagged
from segue.trainer.accurate.tags import caution_about_layer, read_tags
from segue.trainer.data.inputs import Selects, choose_side, open_input, select_all
from segue.trainer.data.labelled_windows import LabelledWindows, chunks_of
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.evaluation.leakage import Leakage, count_leakage, training_split
from segue.trainer.evaluation.metrics import evaluation_metrics
from segue.trainer.evaluation.precision import K_VALUES
from segue.trainer.evaluation.predict import predict
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.outputs import check_writable
from segue.trainer.reporting.figures_table import print_figures
from segue.trainer.reporting.report import REPORT, write_report
from segue.trainer.reporting.run_record import read_record
from segue.trainer.settings import EvaluateSettings
from segue.trainer.splits.split import TEST, Split, load_split

# A figure that needs more tracks is null in JSON, rather than missing.
_NULL_PRECISIONS = {f"precision_at_{k}": None for k in K_VALUES}


class _Tracks(Protocol):
    """Labelled tracks that a network can predict."""

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""

    def predict(self, split: Split | None, side: str | None) -> Predictions:
        """Predicts the tracks on a side of a split, or all of them where either is None."""


@dataclass(frozen=True)
class _Evaluation:
    """Predictions for the evaluated tracks, and where they come from."""

    model: Model
    split: Split | None
    side: str | None
    predictions: Predictions
    pool: Predictions | None
    leakage: Leakage


def evaluate(settings: EvaluateSettings) -> None:
    """Evaluates an artifact, writes what the settings name, and prints the figures.

    Raises:
        SegueError: the artifact, the input or the split cannot be used.
    """
    _check_outputs(settings)
    evaluation = _evaluate(settings)
    if settings.predictions:
        evaluation.predictions.save(settings.predictions)
    if settings.report:
        _write_report(settings.report, settings.model, evaluation)
    figures = _figures(evaluation, settings.pool)
    if settings.as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        print_figures(figures)


def _check_outputs(settings: EvaluateSettings) -> None:
    """Checks that outputs can be written and are outside the artifact, which an extra file would make unusable."""
    model = settings.model.resolve()
    for path in filter(None, (settings.report, settings.predictions)):
        if path.resolve().is_relative_to(model):
            raise DataUnusable(f"{path} lies in the evaluated artifact. Name a place outside {settings.model}.")
        check_writable(path)


def _evaluate(settings: EvaluateSettings) -> _Evaluation:
    model = load_model(require_model(settings.model))
    split = load_split(settings.split) if settings.split else None
    tracks = _open_tracks(settings, model)
    side = _choose_side(settings, split, tracks.genres) if split else None
    predictions = tracks.predict(split, side)
    # Without a pool, the evaluated side is the pool, and no track is recommended to itself.
    pool = tracks.predict(split, settings.pool) if settings.pool and settings.pool != side else None
    leakage = count_leakage(training_split(settings.model, model.manifest), predictions.tracks)
    return _Evaluation(model, split, side, predictions, pool, leakage)


def _open_tracks(settings: EvaluateSettings, model: Model) -> _Tracks:
    if settings.tags:
        return _TaggedTracks(settings.tags, model)
    if settings.source:
        return _AudioTracks(settings.source, model)
    raise DataUnusable("There is no input to evaluate on. Name one with --input or --tags.")


def _choose_side(settings: EvaluateSettings, split: Split, genres: Mapping[str, str]) -> str | None:
    """Chooses the evaluated side, or returns None for all of an archive that has no track of the split."""
    if split.leaky:
        return settings.side or TEST
    is_folder = settings.source is not None and settings.source.is_dir()
    if settings.side or is_folder or any(track in split.sides for track in genres):
        return choose_side(split, settings.side, genres)
    path = settings.tags or settings.source
    console.notify(f"{path} has no track of the split {split.label}: all of it is evaluated")
    return None


def _write_report(folder: Path, artifact: Path, evaluation: _Evaluation) -> None:
    predictions, leakage, split = evaluation.predictions, evaluation.leakage, evaluation.split
    manifest = evaluation.model.manifest
    where = f"side {evaluation.side or 'all'} of {split.label}" if split else "the whole input"
    write_report(
        folder,
        manifest,
        analyze_predictions(predictions, evaluation.pool, manifest.temperature, refit=leakage.selected_on != 0),
        read_record(artifact),
        ", ".join([quantity(len(predictions.tracks), "track"), where, *leakage.sentences()]),
        leaky=split is not None and split.leaky,
        trained_on=bool(leakage.trained_on),
    )
    console.notify(f"report written to {folder / REPORT}")


def _figures(evaluation: _Evaluation, pool: str | None) -> dict[str, Any]:
    """Returns the figures by name, with the model id, the leakage and, where there is a split, its facts."""
    split, facts = evaluation.split, {}
    if split:
        facts = {"split": split.label, "split_digest": split.digest, "side": evaluation.side, "pool": pool}
    metrics = _NULL_PRECISIONS | evaluation_metrics(evaluation.predictions, evaluation.pool)
    return {"model_id": evaluation.model.manifest.model_id, **facts, **asdict(evaluation.leakage), **metrics}


class _TaggedTracks:
    """The tracks of a file of tags, which is read once."""

    def __init__(self, path: Path, model: Model) -> None:
        self._tracks, self._model = read_tags(path), model
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


class _AudioTracks:
    """The tracks of a folder of audio or of an archive; each is extracted once."""

    def __init__(self, path: Path, model: Model) -> None:
        self._input, self._model = open_input(path, model.manifest.features), model
        self._chunks: list[LabelledWindows] | None = None

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

    def _extract(self, selects: Selects) -> list[LabelledWindows]:
        with console.progress_bar("extracting windows") as progress:
            extracted, dropped = self._input.extract(self._model.manifest.windows, selects, progress)
        console.notify_dropped(dropped)
        return extracted


def _selects_side(split: Split | None, side: str | None) -> Selects:
    if split is None or side is None:
        return select_all
    return lambda track: split.side(track) == side
