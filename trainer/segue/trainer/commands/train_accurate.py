"""Runs ``segue-trainer train-accurate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from segue.core.model.artifact import Manifest
from segue.core.model.load_model import load_model
from segue.trainer import console
from segue.trainer.accurate.cross_validation import CrossValidatedHead, Design, TagArrays, cross_validate
from segue.trainer.accurate.figures import BASELINE, baseline_figures, novelty_figures
from segue.trainer.accurate.head import JUDGES, HeadPlan, train_head
from segue.trainer.accurate.model_card import write_card
from segue.trainer.accurate.musicnn import FEATURES, TAG_NAMES
from segue.trainer.accurate.novelty import novelty_limit
from segue.trainer.accurate.signatures import AccurateServingGraph
from segue.trainer.accurate.tags import MORE_GENRES, caution_about_copies, caution_about_layer, training_tracks
from segue.trainer.accurate.weights import read_backbone
from segue.trainer.cross_validation.folds import FOLDS, UNKNOWN
from segue.trainer.cross_validation.scores import artist_figures
from segue.trainer.data.dataset import labels_of
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.evaluation.calibration import calibration_temperature
from segue.trainer.evaluation.cost import relative_cost
from segue.trainer.evaluation.known_artists import describe_held_out
from segue.trainer.export.artifact import write_artifact
from segue.trainer.export.signatures import ServingGraph
from segue.trainer.outputs import check_output
from segue.trainer.reporting.cautions import caution_about_calibration, caution_about_regression
from segue.trainer.reporting.figures_table import print_figures
from segue.trainer.reporting.report import write_report
from segue.trainer.settings import TrainAccurateSettings
from segue.trainer.splits.split import SAVED, TRAIN, Split


def train_accurate(settings: TrainAccurateSettings) -> None:
    """Evaluates a head by cross-validation over artists, trains it on all tracks, and prints the figures.

    Raises:
        SegueError: the tags, the backbone, the split or the output cannot be used.
    """
    manifest = train_head_artifact(settings, HeadPlan())
    print_figures({"model_id": manifest.model_id, **manifest.metrics})
    for sentence in (*caution_about_regression(manifest.metrics), *caution_about_calibration(manifest)):
        console.notify(sentence)


def train_head_artifact(settings: TrainAccurateSettings, plan: HeadPlan) -> Manifest:
    """Evaluates a head by cross-validation over artists, trains it on all tracks, and writes its artifact.

    Args:
        settings: settings of the command.
        plan: settings of the head; its seed and its windows are those of the command.

    Returns:
        The manifest as written, with the figures of the cross-validation.

    Raises:
        SegueError: the tags, the backbone, the split or the output cannot be used.
    """
    check_output(settings.output, resume=False)
    plan = replace(plan, seed=settings.seed, windows=settings.windows)
    backbone = read_backbone(settings.backbone)
    tracks = training_tracks(settings.tags, settings.split)
    labels = labels_of((track.genre for track in tracks), MORE_GENRES)
    for sentence in (*caution_about_layer(settings.tags, tracks), *caution_about_copies(tracks)):
        console.notify(sentence)
    console.notify(
        f"{len(tracks):,} training tracks; {FOLDS} folds over their artists evaluate the head first. {UNKNOWN}"
    )
    validated = cross_validate(
        tracks, labels, plan, (JUDGES, BASELINE), lambda fold: console.notify(f"fold {fold + 1} of {FOLDS}")
    )
    temperature = calibration_temperature(validated[JUDGES].posterior, validated[JUDGES].genres)
    network = AccurateServingGraph(backbone, train_head(tracks, labels, plan), temperature)
    split = Split("learnt-from", {track.track: TRAIN for track in tracks})

    def describe(fresh: Path) -> tuple[dict[str, float], str]:
        return _describe(fresh, plan, tracks, split, validated)

    limit = novelty_limit(validated[JUDGES].novelty)
    manifest = _manifest(settings.name, labels, network, temperature, limit, split)
    written = write_artifact(settings.output, network, manifest, describe)
    console.notify(f"written to {settings.output}")
    return written


def _manifest(
    name: str, labels: tuple[str, ...], network: ServingGraph, temperature: float, limit: float, split: Split
) -> Manifest:
    return Manifest(
        name=name,
        model_id="",
        labels=labels,
        windows=network.windows,
        feature_width=network.feature_width,
        embedding_width=network.embedding_width,
        features=FEATURES,
        temperature=temperature,
        split_digest=split.digest,
        tags=TAG_NAMES,
        novelty_limit=limit,
    )


def _describe(
    fresh: Path,
    plan: HeadPlan,
    tracks: tuple[TaggedTrack, ...],
    split: Split,
    validated: Mapping[Design, CrossValidatedHead],
) -> tuple[dict[str, float], str]:
    """Writes the report and the split into the new artifact, and returns its figures and its card."""
    model = load_model(fresh)
    manifest = model.manifest
    split.save(fresh / SAVED)
    arrays = TagArrays.of(tracks, manifest.labels, manifest.windows)
    predictions = validated[JUDGES].at(manifest.temperature, (track.track for track in tracks), manifest.labels)
    predictions = replace(predictions, embedding=arrays.embedding)
    analysis = analyze_predictions(predictions, None, manifest.temperature)
    held_out = describe_held_out(track.track for track in tracks)
    evaluated_on = f"{len(tracks):,} tracks, each by a head that was trained without {held_out} ({FOLDS} folds)"
    figures = (
        analysis.figures
        | artist_figures(arrays.sample, validated[JUDGES])
        | baseline_figures(arrays, validated[BASELINE])
        | novelty_figures(arrays, manifest.labels, plan.seed)
        | {"cost": relative_cost(model)}
    )
    write_report(fresh, manifest, replace(analysis, figures=figures), None, evaluated_on)
    return figures, write_card(manifest, figures, len(tracks), asdict(plan))
