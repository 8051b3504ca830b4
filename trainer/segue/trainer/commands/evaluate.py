"""Runs ``segue-trainer evaluate``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from segue.core.model.known_models import require_model
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.quantities import quantity
from segue.trainer import console
from segue.trainer.commands.evaluated_tracks import EvaluatedTracks, open_tracks
from segue.trainer.data.inputs import choose_side
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.evaluation.leakage import Leakage, count_leakage, training_split
from segue.trainer.evaluation.metrics import evaluation_metrics
from segue.trainer.evaluation.precision import K_VALUES
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.recommendations.judge import judge_recommendations
from segue.trainer.evaluation.recommendations.judgement import JudgedRecommendations
from segue.trainer.evaluation.recommendations.owners import gtzan_owners, read_owners
from segue.trainer.evaluation.recommendations.tracks import JudgedTracks
from segue.trainer.outputs import check_writable
from segue.trainer.reporting.figures_table import print_figures
from segue.trainer.reporting.recommendations import as_json, print_recommendations
from segue.trainer.reporting.report import REPORT, write_report
from segue.trainer.reporting.run_record import read_record
from segue.trainer.settings import EvaluateSettings
from segue.trainer.splits.split import TEST, Split, load_split

# A figure that needs more tracks is null in JSON, rather than missing.
_NULL_PRECISIONS = {f"precision_at_{k}": None for k in K_VALUES}


@dataclass(frozen=True)
class Evaluation:
    """Predictions for the evaluated tracks, and where they come from.

    Attributes:
        model: the network.
        split: the split, or None.
        side: the evaluated side, or None for all.
        predictions: predictions for the evaluated tracks.
        pool: predictions for other tracks to recommend from, or None.
        leakage: the evaluated tracks that the network has seen.
        compared: the tracks of a judgement of recommendations, or None if they were not judged.
        judged: the judgement, or None.
    """

    model: Model
    split: Split | None
    side: str | None
    predictions: Predictions
    pool: Predictions | None
    leakage: Leakage
    compared: JudgedTracks | None
    judged: JudgedRecommendations | None


def evaluate(settings: EvaluateSettings) -> None:
    """Evaluates an artifact, writes what the settings name, and prints the figures.

    Raises:
        SegueError: the artifact, the input or the split cannot be used.
    """
    _check_outputs(settings)
    evaluation = evaluate_input(settings)
    if settings.predictions:
        evaluation.predictions.save(settings.predictions)
    if settings.report:
        _write_report(settings.report, settings.model, evaluation)
    figures = _figures(evaluation, settings.pool)
    if settings.as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        print_figures(figures)
        if evaluation.judged:
            print_recommendations(evaluation.judged)


def _check_outputs(settings: EvaluateSettings) -> None:
    """Checks that outputs can be written and are outside the artifact, which an extra file would make unusable."""
    model = settings.model.resolve()
    for path in filter(None, (settings.report, settings.predictions)):
        if path.resolve().is_relative_to(model):
            raise DataUnusable(f"{path} lies in the evaluated artifact. Name a place outside {settings.model}.")
        check_writable(path)


def evaluate_input(settings: EvaluateSettings) -> Evaluation:
    """Predicts what the settings name, and judges recommendations if they ask for it.

    Raises:
        SegueError: the artifact, the input or the split cannot be used.
    """
    model = load_model(require_model(settings.model))
    split = load_split(settings.split) if settings.split else None
    if settings.recommend and split and split.leaky:
        raise DataUnusable(
            f"--recommend judges whole tracks, and {split.label} has single windows. Name another --split."
        )
    tracks = open_tracks(settings, model)
    side = _choose_side(settings, split, tracks.genres) if split else None
    predictions = tracks.predict(split, side)
    # Without a pool, the evaluated side is the pool, and no track is recommended to itself.
    pool = tracks.predict(split, settings.pool) if settings.pool and settings.pool != side else None
    leakage = count_leakage(training_split(settings.model, model.manifest), predictions.tracks)
    compared = _compared(settings, tracks, predictions, pool) if settings.recommend else None
    judged = judge_recommendations(compared) if compared else None
    return Evaluation(model, split, side, predictions, pool, leakage, compared, judged)


def _compared(
    settings: EvaluateSettings, tracks: EvaluatedTracks, predictions: Predictions, pool: Predictions | None
) -> JudgedTracks:
    """Returns the seeds and the catalogue with what is known of them."""
    owners = read_owners(settings.artists, tracks.genres) if settings.artists else gtzan_owners()
    seeds, pool = tracks.comparable(predictions), pool and tracks.comparable(pool)
    return JudgedTracks(seeds, pool, owners, tracks.fingerprints)


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


def _write_report(folder: Path, artifact: Path, evaluation: Evaluation) -> None:
    predictions, leakage, split = evaluation.predictions, evaluation.leakage, evaluation.split
    manifest = evaluation.model.manifest
    where = f"side {evaluation.side or 'all'} of {split.label}" if split else "the whole input"
    analysis = analyze_predictions(predictions, evaluation.pool, manifest.temperature, refit=leakage.selected_on != 0)
    write_report(
        folder,
        manifest,
        replace(analysis, judged=evaluation.judged),
        read_record(artifact),
        ", ".join([quantity(len(predictions.tracks), "track"), where, *leakage.sentences()]),
        leaky=split is not None and split.leaky,
        trained_on=bool(leakage.trained_on),
    )
    console.notify(f"report written to {folder / REPORT}")


def _figures(evaluation: Evaluation, pool: str | None) -> dict[str, Any]:
    """Returns the figures by name, with the model id, the leakage and, where there is a split, its facts."""
    split, facts = evaluation.split, {}
    if split:
        facts = {"split": split.label, "split_digest": split.digest, "side": evaluation.side, "pool": pool}
    metrics = _NULL_PRECISIONS | evaluation_metrics(evaluation.predictions, evaluation.pool)
    judged = {"recommendations": as_json(evaluation.judged)} if evaluation.judged else {}
    return {"model_id": evaluation.model.manifest.model_id, **facts, **asdict(evaluation.leakage), **metrics, **judged}
