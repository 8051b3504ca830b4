"""A whole training run: from clips to an artifact with its figures."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from segue.core.model.artifact import Manifest
from segue.core.model.saved_model import Model
from segue.trainer.data.front_end import FRONT_END, MAX_WINDOWS
from segue.trainer.data.labelled_windows import cut_windows
from segue.trainer.data.train_valid_split import TrainValidSplit, data_digest
from segue.trainer.errors import CheckpointError
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.evaluation.cost import relative_cost
from segue.trainer.evaluation.metrics import evaluation_metrics
from segue.trainer.evaluation.predict import predict
from segue.trainer.export.artifact import calibrate, write_artifact
from segue.trainer.export.signatures import ServingGraph
from segue.trainer.networks.trained import TrainedFast, TrainedPaper
from segue.trainer.reporting.model_card import CardContext, write_card
from segue.trainer.reporting.report import write_report
from segue.trainer.reporting.run_record import RunRecord, installed_versions
from segue.trainer.splits.split import SAVED, SHIPPED, VALID
from segue.trainer.training.distillation import count_tagged
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import AnyPlan
from segue.trainer.training.recipe import Recipe, settings_of


def train_artifact(
    sides: TrainValidSplit,
    folder: Path,
    recipe: Recipe,
    plan: AnyPlan,
    *,
    name: str,
    command: str,
    course: RunControl | None = None,
) -> Manifest:
    """Trains a network and writes its artifact.

    Args:
        sides: the clips.
        folder: where the artifact goes; an older one there is replaced at the very end.
        recipe: which network.
        plan: how to train it.
        name: of the network, such as "segue-fast".
        command: what prints the figures again, for the card.
        course: what is told and kept on the way; None for nothing.

    Returns:
        The manifest as written, with the figures on the validation clips.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint or the network cannot be written, or the one to go on from cannot be used.
    """
    trained = recipe.run(sides.learnt, sides.valid, sides.labels, FRONT_END, plan, course or RunControl())
    network, temperature = calibrate(trained, sides.learnt, sides.valid, sides.labels, FRONT_END)
    manifest = _manifest(sides, network, temperature, name)
    story = _story(sides, recipe, plan, trained, command)

    def describe(fresh: Path) -> tuple[dict[str, float], str]:
        # First: what is written beside it from here on, its first manifest does not name.
        model = Model.load(fresh)
        record = _record(sides, recipe, plan, trained)
        record.save(fresh)
        figures = measure(model, fresh, sides, record) | {"cost": relative_cost(model)}
        if sides.split.name not in SHIPPED:
            sides.split.save(fresh / SAVED)
        return figures, write_card(model.manifest, figures, story)

    try:
        return write_artifact(folder, network, manifest, describe)
    except tf.errors.OpError as error:
        raise CheckpointError(
            f"The network cannot be written to {folder}: {_plain(error)}. Make room, and go on with --resume where "
            "there is a checkpoint."
        ) from error


def _manifest(sides: TrainValidSplit, network: ServingGraph, temperature: float, name: str) -> Manifest:
    return Manifest(
        name=name,
        model_id="",
        labels=sides.labels,
        windows=MAX_WINDOWS,
        feature_width=network.feature_width,
        embedding_width=network.embedding_width,
        features=FRONT_END,
        temperature=temperature,
        split_digest=sides.split.digest,
    )


def _story(
    sides: TrainValidSplit, recipe: Recipe, plan: AnyPlan, trained: TrainedFast | TrainedPaper, command: str
) -> CardContext:
    return CardContext(
        split=sides.split.label,
        learnt=len(sides.learnt.clips),
        taught=count_tagged(sides.learnt),
        valid=len(sides.valid.clips),
        recipe=recipe,
        plan=plan,
        epochs=len(trained.history["loss"]),
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
        command=command,
    )


def _plain(error: tf.errors.OpError) -> str:
    """What TensorFlow says without the names of its own parts, which stand before and behind it."""
    said: str = error.message.rpartition("; ")[2].partition(" [Op:")[0]
    return said


def _record(sides: TrainValidSplit, recipe: Recipe, plan: AnyPlan, trained: TrainedFast | TrainedPaper) -> RunRecord:
    return RunRecord(
        network=recipe.name,
        embedding=recipe.embedding,
        split=sides.split.label,
        split_digest=sides.split.digest,
        data_digest=data_digest(sides),
        learnt=len(sides.learnt.clips),
        valid=len(sides.valid.clips),
        plan=settings_of(plan),
        epochs=len(trained.history["loss"]),
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
        versions=installed_versions(),
        history=trained.history,
    )


def measure(model: Model, folder: Path, sides: TrainValidSplit, record: RunRecord) -> dict[str, float]:
    """The figures of a loaded artifact on the validation clips, through the very path that the server takes.

    They are those of ``analyze_predictions``, and ``precision_at_5_from_train`` and ``precision_at_10_from_train`` with
    the training clips recommended. The report is written into the folder.
    """
    learnt, valid = (
        predict(model, [cut_windows(clip, model.manifest.features, model.manifest.windows) for clip in side.clips])
        for side in (sides.learnt, sides.valid)
    )
    analysis = analyze_predictions(valid, learnt, model.manifest.temperature)
    judged_on = f"the {len(valid.tracks)} tracks on the side {VALID} of {sides.split.label}"
    write_report(folder, model.manifest, analysis, record, judged_on)
    from_train = evaluation_metrics(valid, learnt)
    names = [name for name in from_train if name.startswith("precision")]
    return analysis.figures | {f"{name}_from_train": from_train[name] for name in names}
