"""The commands around ``segue-accurate``: fetch its backbone, tag music with it, train its head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from segue.core.model.artifact import Manifest
from segue.core.model.saved_model import Model
from segue.trainer import console
from segue.trainer.accurate.cross_validation import FOLDS, CrossValidated, cross_validate
from segue.trainer.accurate.head import WINDOWS, Head, HeadPlan, train_head
from segue.trainer.accurate.model_card import write_card
from segue.trainer.accurate.musicnn import FEATURES
from segue.trainer.accurate.signatures import AccurateServingGraph
from segue.trainer.accurate.tag_folder import tag_folder
from segue.trainer.accurate.tags import TaggedTrack, read_tags, save_tags
from segue.trainer.accurate.weights import read_backbone
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import labels_of
from segue.trainer.errors import SplitMismatch
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.evaluation.cost import relative_cost
from segue.trainer.evaluation.metrics import classification_metrics, fit_temperature
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.export.artifact import write_artifact
from segue.trainer.outputs import check_output, check_writable
from segue.trainer.reporting.report import write_report
from segue.trainer.splits.split import SAVED, TRAIN, Split, load_split


@dataclass(frozen=True)
class AccurateSettings:
    """What ``segue-trainer train-accurate`` was told.

    Attributes:
        tags: the file of tags.
        backbone: the weights of MusiCNN.
        split: the name or the path of a split whose training side is learnt from, or None for all tracks.
        output: the artifact's folder.
        name: what it is called.
        plan: how the head is trained.
    """

    tags: Path
    backbone: Path
    split: str | None
    output: Path
    name: str
    plan: HeadPlan


def tag(source: Path, backbone: Path, output: Path) -> None:
    """Tags the tracks of a folder, and keeps the tags.

    Raises:
        SegueError: the backbone or the folder cannot be used.
    """
    check_writable(output)
    network = read_backbone(backbone)
    with console.bar("hearing tracks") as bar:
        tracks, dropped = tag_folder(source, network, bar)
    console.dropped(dropped)
    save_tags(output, tracks)
    console.note(f"the tags of {len(tracks)} tracks are in {output}")


def train_accurate(settings: AccurateSettings) -> Manifest:
    """Judges a head by cross-validation over artists, trains it on all tracks, and writes its artifact.

    Raises:
        SegueError: the tags, the backbone, the split or the output cannot be used.
    """
    check_output(settings.output, resume=False)
    backbone = read_backbone(settings.backbone)
    tracks = _learnt(settings)
    labels, plan = labels_of(track.genre for track in tracks), settings.plan
    console.note(f"{len(tracks)} tracks to learn from; {FOLDS} folds over their artists judge the head first")

    def answer(head: Head, tags: Floats, mask: NDArray[np.bool_]) -> dict[str, Floats]:
        # Called as a function, each fold's would be counted, and warned of, as one that is traced too often.
        decide = AccurateServingGraph(backbone, head, 1.0).decide.get_concrete_function()
        decided = decide(features=tf.constant(tags), mask=tf.constant(mask))
        return {name: value.numpy() for name, value in decided.items()}

    found = cross_validate(tracks, labels, plan, answer, lambda fold: console.note(f"fold {fold + 1} of {FOLDS}"))
    temperature = fit_temperature(np.log(np.maximum(found.posterior, 1e-30)), found.genres)
    network = AccurateServingGraph(backbone, train_head(tracks, labels, plan), temperature)
    split = Split("learnt-from", {track.track: TRAIN for track in tracks})
    manifest = Manifest(
        name=settings.name,
        model_id="",
        labels=labels,
        windows=WINDOWS,
        feature_width=network.feature_width,
        embedding_width=network.embedding_width,
        features=FEATURES,
        temperature=temperature,
        split_digest=split.digest,
    )
    written = write_artifact(settings.output, network, manifest, _describer(plan, tracks, split, found))
    console.note(f"written to {settings.output}")
    return written


def _learnt(settings: AccurateSettings) -> tuple[TaggedTrack, ...]:
    tracks = read_tags(settings.tags)
    if settings.split is None:
        return tracks
    split = load_split(settings.split)
    learnt = tuple(track for track in tracks if split.side(track.track) == TRAIN)
    if not learnt:
        raise SplitMismatch(
            f"The split {split.label} has none of the {len(tracks)} tracks of {settings.tags} on its training side. "
            "Name a split of these tracks."
        )
    return learnt


def _describer(
    plan: HeadPlan, tracks: tuple[TaggedTrack, ...], split: Split, found: CrossValidated
) -> Callable[[Path], tuple[dict[str, float], str]]:
    """Writes the report and the split into the fresh folder, and answers the figures and the card."""

    def describe(fresh: Path) -> tuple[dict[str, float], str]:
        model = Model.load(fresh)
        manifest = model.manifest
        split.save(fresh / SAVED)
        judged = _predictions(manifest, tracks, found)
        analysis = analyze_predictions(judged, None, manifest.temperature)
        said = f"{len(tracks)} tracks, each by a head that was not taught its artist ({FOLDS} folds)"
        write_report(fresh, manifest, analysis, None, said)
        linear = classification_metrics(found.linear, found.genres)
        figures = analysis.figures | {
            "accuracy_of_linear_head": linear["accuracy"],
            "log_loss_of_linear_head": linear["log_loss"],
            "cost": relative_cost(model),
        }
        if not np.isnan(found.precision).any():
            figures["precision_at_10_other_artists"] = float(found.precision.mean())
            figures["precision_at_10_of_mean_tags"] = float(found.precision_of_tags.mean())
        return figures, write_card(manifest, figures, len(tracks), asdict(plan))

    return describe


def _predictions(manifest: Manifest, tracks: tuple[TaggedTrack, ...], found: CrossValidated) -> Predictions:
    """The answers of the folds at the temperature that is served."""
    return Predictions(
        tracks=tuple(track.track for track in tracks),
        genres=found.genres,
        labels=manifest.labels,
        posterior=_cooled(found.posterior, manifest.temperature),
        embedding=found.embedding,
        window_posteriors=tuple(_cooled(windows, manifest.temperature) for windows in found.window_posteriors),
    )


def _cooled(posterior: Floats, temperature: float) -> Floats:
    powers = np.maximum(posterior, 1e-30).astype(np.float64) ** (1 / temperature)
    cooled: Floats = (powers / powers.sum(-1, keepdims=True)).astype(np.float32)
    return cooled
