"""Trains the networks of a cross-validation over artists, and then one on all clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from segue.trainer.arrays import Floats, Positions
from segue.trainer.cross_validation.folds import artists_of
from segue.trainer.cross_validation.scores import CrossValidated, other_artists_precision
from segue.trainer.data.dataset import genres_of
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import CheckpointMismatch
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.export.artifact import centre_of, predict_served
from segue.trainer.export.signatures import build_serving_graph
from segue.trainer.networks.trained import AnyTrained
from segue.trainer.outputs import fold_path
from segue.trainer.training.checkpoint import read_checkpoint
from segue.trainer.training.fit import History, RunControl
from segue.trainer.training.plans import AnyPlan
from segue.trainer.training.recipe import Recipe


@dataclass(frozen=True)
class ValidatedRun:
    """The networks of all folds, evaluated on the clips that each holds out, before a temperature.

    Attributes:
        sample: the genres and artists of all clips.
        predictions: predictions for all clips.
        history: figures of each epoch by name, mean over the clips that are held out.
        seconds: wall time of all epochs of all folds, or None where it is unknown.
    """

    sample: ArtistSample
    predictions: CrossValidated
    history: History
    seconds: float | None


@dataclass(frozen=True)
class _Fold:
    """The predictions of the network of a fold, for all clips, and its training."""

    held_out: Positions
    predicted: dict[str, Floats]
    precision: NDArray[np.float64]
    history: History
    seconds: float | None


def cross_validate(data: TrainValidSplit, recipe: Recipe, plan: AnyPlan, control: RunControl) -> ValidatedRun:
    """Trains a network for each fold, to the last epoch, and evaluates it on the clips that the fold holds out.

    Args:
        data: the clips, with folds.
        recipe: recipe of the network.
        plan: settings of the training.
        control: reports and checkpoints of the run; each fold has a checkpoint of its own.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to resume from cannot be used.
    """
    _check_finish(control, plan.epochs)
    genres, artists = genres_of(data.train, data.labels), artists_of(data.train)
    folds = []
    for number, (_, held_out) in enumerate(data.folds):
        trained = _train_fold(data, number, recipe, plan, control)
        network = build_serving_graph(trained, centre_of(trained, data.fold(number).train, recipe.front_end), 1.0)
        predicted = predict_served(network, data.train, recipe.front_end)
        precision = other_artists_precision(genres, artists, predicted["embedding"], held_out)
        folds.append(_Fold(held_out, predicted, precision, trained.history, trained.seconds))
    return ValidatedRun(
        sample=ArtistSample(genres, artists),
        predictions=_collect(genres, served_windows(data.train, recipe.front_end)["mask"], folds),
        history=_mean_history(folds),
        seconds=_total([fold.seconds for fold in folds]),
    )


def train_on_all(
    data: TrainValidSplit, validated: ValidatedRun, recipe: Recipe, plan: AnyPlan, control: RunControl
) -> AnyTrained:
    """Trains the network on all clips, to the last epoch.

    Returns:
        The network, with the history of the folds and the wall time of all trainings.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to resume from cannot be used.
    """
    path, count = control.checkpoint, len(data.folds)
    control.on_training(count, count + 1)
    control = replace(control, resume=control.resume and path is not None and path.exists(), keep_last=True)
    trained = _train(data, recipe, plan, control)
    return replace(trained, history=validated.history, seconds=_total([validated.seconds, trained.seconds]))


def _check_finish(control: RunControl, epochs: int) -> None:
    """Checks that the network on all clips is trained to the end, as those of the folds that give its figures are."""
    if not control.finish or control.checkpoint is None:
        return
    if not control.checkpoint.exists():
        raise CheckpointMismatch(
            "The run has no network to finish: its cross-validation has not ended. Continue it with --resume."
        )
    finished = read_checkpoint(control.checkpoint, control.identity).epoch
    if finished < epochs:
        raise CheckpointMismatch(
            f"The training on all clips stopped after epoch {finished} of {epochs}, and the figures are those of "
            "networks that were trained to the end. Continue it with --resume."
        )


def _train_fold(data: TrainValidSplit, number: int, recipe: Recipe, plan: AnyPlan, control: RunControl) -> AnyTrained:
    control.on_training(number, len(data.folds) + 1)
    path = fold_path(control.checkpoint, number) if control.checkpoint else None
    # Later folds may not have begun. Without the first one there is no run to resume, which is an error.
    resume = control.resume and (number == 0 or (path is not None and path.exists()))
    identity = {**control.identity, "fold": number + 1}
    fold_control = replace(control, checkpoint=path, resume=resume, identity=identity, finish=False, keep_last=True)
    return _train(data.fold(number), recipe, plan, fold_control)


def _train(data: TrainValidSplit, recipe: Recipe, plan: AnyPlan, control: RunControl) -> AnyTrained:
    # Frees the network before, and makes the names of layers, which are saved, independent of its existence.
    keras.utils.clear_session()
    return recipe.train(data.training_set, data.validation, data.labels, recipe.front_end, plan, control)


def _collect(genres: Positions, mask: NDArray[np.generic], folds: Sequence[_Fold]) -> CrossValidated:
    """Collects the predictions for each clip by the network of the fold that holds it out."""
    rows = np.concatenate([fold.held_out for fold in folds])
    order = np.argsort(rows)
    held_out = {
        name: np.concatenate([fold.predicted[name][fold.held_out] for fold in folds])[order]
        for name in folds[0].predicted
    }
    return CrossValidated(
        genres=genres,
        posterior=held_out["posterior"],
        window_posteriors=tuple(
            windows[present] for windows, present in zip(held_out["window_posterior"], mask, strict=True)
        ),
        precision=np.concatenate([fold.precision for fold in folds])[order],
    )


def _mean_history(folds: Sequence[_Fold]) -> History:
    shares = [len(fold.held_out) for fold in folds]
    return {
        name: np.average([fold.history[name] for fold in folds], axis=0, weights=shares).tolist()
        for name in folds[0].history
    }


def _total(seconds: Sequence[float | None]) -> float | None:
    known = [part for part in seconds if part is not None]
    return sum(known) if len(known) == len(seconds) else None
