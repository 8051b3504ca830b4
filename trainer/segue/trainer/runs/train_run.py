"""A training run, from clips to an artifact with its figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from segue.core.model.artifact import Manifest
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.quantities import quantity
from segue.trainer.cross_validation.scores import artist_figures
from segue.trainer.data.front_end import windows_in_clip
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import CheckpointError
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.evaluation.calibration import calibration_temperature
from segue.trainer.evaluation.cost import relative_cost
from segue.trainer.evaluation.known_artists import describe_held_out
from segue.trainer.evaluation.metrics import evaluation_metrics
from segue.trainer.evaluation.predict import predict_dataset
from segue.trainer.export.artifact import calibrate, centre_of, write_artifact
from segue.trainer.export.signatures import ServingGraph, build_serving_graph
from segue.trainer.networks.trained import AnyTrained
from segue.trainer.reporting.model_card import CardContext, write_card
from segue.trainer.reporting.report import write_report
from segue.trainer.reporting.run_record import RunRecord, installed_versions
from segue.trainer.runs.cross_validated_run import ValidatedRun, cross_validate, train_on_all
from segue.trainer.splits.split import SAVED, SHIPPED, VALID
from segue.trainer.training.distillation import count_tagged
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import AnyPlan, plan_to_dict
from segue.trainer.training.recipe import Recipe


def train_artifact(
    data: TrainValidSplit,
    folder: Path,
    recipe: Recipe,
    plan: AnyPlan,
    *,
    name: str,
    command: str,
    control: RunControl | None = None,
) -> Manifest:
    """Trains a network and writes its artifact.

    Args:
        data: the clips.
        folder: folder of the artifact; an older one there is replaced at the end.
        recipe: recipe of the network.
        plan: settings of the training.
        name: name of the network, such as "segue-fast".
        command: command that reproduces the figures, for the model card.
        control: reports and checkpoints of the run; None for neither.

    Returns:
        The manifest as written, with the figures of the cross-validation, or those on the validation clips.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint or the network cannot be written, or the one to resume from cannot be used.
    """
    control, validated = control or RunControl(), None
    if data.folds:
        validated = cross_validate(data, recipe, plan, control)
        trained = train_on_all(data, validated, recipe, plan, control)
        temperature = calibration_temperature(validated.predictions.posterior, validated.predictions.genres)
        network = build_serving_graph(trained, centre_of(trained, data.train, recipe.front_end), temperature)
    else:
        trained = recipe.train(data.training_set, data.validation, data.labels, recipe.front_end, plan, control)
        network, temperature = calibrate(trained, data, recipe.front_end)
    manifest = _manifest(data, recipe, network, temperature, name)
    context = _card_context(data, recipe, plan, trained, command)

    def describe(fresh: Path) -> tuple[dict[str, float], str]:
        # The model is loaded first, since the first manifest does not name the files that are added from here on.
        model = load_model(fresh)
        record = _run_record(data, recipe, plan, trained)
        record.save(fresh)
        figures = (
            report_folds(model.manifest, fresh, data, validated, record)
            if validated
            else evaluate_run(model, fresh, data, record)
        ) | {"cost": relative_cost(model)}
        if data.split.name not in SHIPPED:
            data.split.save(fresh / SAVED)
        return figures, write_card(model.manifest, figures, context)

    try:
        return write_artifact(folder, network, manifest, describe)
    except tf.errors.OpError as error:
        raise CheckpointError(
            f"The network cannot be written to {folder}: {tensorflow_reason(error)}. Free some space, and continue "
            "with --resume where there is a checkpoint."
        ) from error


def evaluate_run(model: Model, folder: Path, data: TrainValidSplit, record: RunRecord) -> dict[str, float]:
    """Evaluates a loaded artifact on the validation clips, and writes the report into its folder.

    Returns:
        The figures of ``analyze_predictions``, and those named ``precision_at_<k>_from_train`` with the training clips
        recommended.
    """
    train, validation = (predict_dataset(model, side) for side in (data.train, data.validation))
    analysis = analyze_predictions(validation, train, model.manifest.temperature)
    evaluated_on = f"the {quantity(len(validation.tracks), 'track')} on the side {VALID} of {data.split.label}"
    write_report(folder, model.manifest, analysis, record, evaluated_on, leaky=data.split.leaky)
    from_train = evaluation_metrics(validation, train)
    names = [name for name in from_train if name.startswith("precision")]
    return analysis.figures | {f"{name}_from_train": from_train[name] for name in names}


def report_folds(
    manifest: Manifest, folder: Path, data: TrainValidSplit, validated: ValidatedRun, record: RunRecord
) -> dict[str, float]:
    """Writes the report on the networks of the folds into the folder of an artifact.

    Returns:
        The figures of ``analyze_predictions`` without those of recommendations, and those of ``artist_figures``.
    """
    found, tracks = validated.predictions, (clip.track for clip in data.train.clips)
    predictions = found.at(manifest.temperature, tracks, manifest.labels)
    analysis = analyze_predictions(predictions, None, manifest.temperature)
    figures = analysis.figures | artist_figures(validated.sample, found)
    write_report(folder, manifest, replace(analysis, figures=figures), record, _describe_folds(data))
    return figures


def _describe_folds(data: TrainValidSplit) -> str:
    clips, held_out = quantity(len(data.train.clips), "clip"), describe_held_out(data.train.genres)
    return f"{clips}, each by a network that was trained without {held_out} ({len(data.folds)} folds)"


def _manifest(data: TrainValidSplit, recipe: Recipe, network: ServingGraph, temperature: float, name: str) -> Manifest:
    return Manifest(
        name=name,
        model_id="",
        labels=data.labels,
        windows=windows_in_clip(recipe.columns),
        feature_width=network.feature_width,
        embedding_width=network.embedding_width,
        features=recipe.front_end,
        temperature=temperature,
        split_digest=data.split.digest,
    )


def _card_context(
    data: TrainValidSplit, recipe: Recipe, plan: AnyPlan, trained: AnyTrained, command: str
) -> CardContext:
    return CardContext(
        split=data.split,
        train=len(data.train.clips),
        tagged=count_tagged(data.train),
        pseudo_labelled=len(data.pseudo_labelled.clips),
        teacher=data.teacher,
        validation=len(data.validation.clips),
        recipe=recipe,
        plan=plan,
        epochs=_epochs(data, trained),
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
        command=command,
        folds=len(data.folds),
    )


def _run_record(data: TrainValidSplit, recipe: Recipe, plan: AnyPlan, trained: AnyTrained) -> RunRecord:
    return RunRecord(
        network=recipe.name,
        embedding=recipe.embedding,
        split=data.split.label,
        split_digest=data.split.digest,
        data_digest=data.digest,
        train=len(data.train.clips),
        validation=len(data.validation.clips),
        plan=plan_to_dict(plan),
        epochs=_epochs(data, trained),
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
        versions=installed_versions(),
        history=trained.history,
        folds=len(data.folds),
        pseudo_labelled=len(data.pseudo_labelled.clips),
        teacher=data.teacher,
    )


def _epochs(data: TrainValidSplit, trained: AnyTrained) -> int:
    """Returns the number of epochs that were run; the history of folds is not that of the network."""
    return trained.best_epoch if data.folds else len(trained.history["loss"])


def tensorflow_reason(error: tf.errors.OpError) -> str:
    """Returns TensorFlow's message without the names of its own parts, which come before and after it."""
    reason: str = error.message.rpartition("; ")[2].partition(" [Op:")[0]
    return reason
