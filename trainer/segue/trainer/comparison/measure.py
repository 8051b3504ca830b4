"""Measures the networks of a comparison on the same clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from segue.core.model.load_model import load_model
from segue.core.quantities import quantity
from segue.trainer.arrays import AnyFloats
from segue.trainer.comparison.run_results import RunResults, check_record
from segue.trainer.comparison.runs import Run
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.evaluation.calibration import cross_fitted, log_posterior, log_softmax, remove_temperature
from segue.trainer.evaluation.precision import K_VALUES, precision_of_each
from segue.trainer.evaluation.predict import predict_dataset
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.reporting.run_record import read_record

Sides = tuple[Predictions, Predictions]
"""Predictions before a temperature, for the validation clips and for the training clips."""


def measure_run(run: Run, data: TrainValidSplit, models: Path) -> RunResults:
    """Evaluates the network of a run, or the networks that it joins.

    Joined networks have the geometric mean of their posteriors, and their embeddings side by side.

    Args:
        run: the run, whose members all have models.
        data: the clips of its split.
        models: folder of all models.

    Raises:
        SplitMismatch: a model was trained on another split.
        DataUnusable: a model is that of another network or seed than the name of its folder.
        ArtifactError: a model cannot be loaded.
    """
    members = [_predict(member, data, models) for member in run.members]
    validation, pool = (_join([sides[side] for sides in members]) for side in (0, 1))
    record = read_record(run.folder(models)) if len(members) == 1 else None
    return RunResults(run, data.split.digest, record, validation.tracks, measures_of(validation, pool))


def measures_of(predictions: Predictions, pool: Predictions) -> dict[str, AnyFloats]:
    """Computes ``MEASURES`` of each evaluated clip [n].

    Args:
        predictions: predictions for the evaluated clips, before a temperature.
        pool: predictions for the clips to recommend.

    Raises:
        DataUnusable: there are fewer than five clips.
    """
    fitted = cross_fitted(predictions.posterior, predictions.genres)
    if fitted is None:
        clips = quantity(len(predictions.tracks), "clip is", "clips are")
        raise DataUnusable(f"{clips} too few to compare networks. Use five or more.")
    similarity = predictions.embedding @ pool.embedding.T
    each = np.arange(len(predictions.genres))
    return {
        "accuracy": (predictions.posterior.argmax(1) == predictions.genres).astype(np.float64),
        "log_loss_raw": -log_posterior(predictions.posterior)[each, predictions.genres],
        "log_loss": -log_posterior(fitted)[each, predictions.genres],
        **{f"precision_at_{k}": precision_of_each(k, similarity, predictions.genres, pool.genres) for k in K_VALUES},
    }


def _predict(run: Run, data: TrainValidSplit, models: Path) -> Sides:
    folder = run.folder(models)
    model = load_model(folder)
    # After the model, since loading it checks all files.
    check_record(read_record(folder), run, folder)
    if model.manifest.split_digest != data.split.digest:
        raise SplitMismatch(
            f"{folder} was trained on the split with the digest {model.manifest.split_digest[:16]}, not on "
            f"{data.split.label} ({data.split.digest[:16]}). Remove it, or compare on its own clips."
        )
    temperature = model.manifest.temperature
    validation, train = (predict_dataset(model, side) for side in (data.validation, data.train))
    return _before(validation, temperature), _before(train, temperature)


def _before(predictions: Predictions, temperature: float) -> Predictions:
    return replace(predictions, posterior=remove_temperature(predictions.posterior, temperature))


def _join(predictions: list[Predictions]) -> Predictions:
    log_posteriors = np.mean([log_posterior(member.posterior) for member in predictions], axis=0)
    embeddings = np.concatenate([member.embedding for member in predictions], axis=1) / np.sqrt(len(predictions))
    return replace(predictions[0], posterior=np.exp(log_softmax(log_posteriors)), embedding=embeddings)
