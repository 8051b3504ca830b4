"""Measures several networks on the same clips and splits, with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segue.core.model.artifact import MANIFEST
from segue.core.model.saved_model import Model
from segue.core.quantities import quantity
from segue.trainer.arrays import AnyFloats
from segue.trainer.comparison.rows import BY_POSTERIOR, MEASURES, REGRESSION, Row, Run
from segue.trainer.data.front_end import FRONT_END
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.evaluation.analysis import remove_temperature
from segue.trainer.evaluation.baselines import regression_on_bands
from segue.trainer.evaluation.calibration import cross_fitted, log_posterior
from segue.trainer.evaluation.metrics import K_VALUES, precision_of_each
from segue.trainer.evaluation.predict import predict_dataset
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.reporting.run_record import RunRecord, read_record
from segue.trainer.training.recipes import RECIPES


def measure_networks(runs: Sequence[Run], data: TrainValidSplit, folder: Path) -> list[Row]:
    """Evaluates the artifacts of one split; a network without artifacts is left out.

    Args:
        runs: the runs of the split.
        data: the clips of the split.
        folder: folder of all runs.

    Raises:
        SplitMismatch: an artifact was trained on another split.
        DataUnusable: an artifact has another network or another seed than the name of its folder.
        ArtifactError: an artifact cannot be loaded.
    """
    finished = [run for run in runs if (run.folder(folder) / MANIFEST).exists()]
    networks = dict.fromkeys(run.network for run in finished)
    return [_measure_network([run for run in finished if run.network == network], data, folder) for network in networks]


def measure_regression(data: TrainValidSplit) -> tuple[tuple[Row, Row], Predictions, Predictions]:
    """Evaluates logistic regression on band statistics.

    Returns:
        Its rows with the statistics and with its posterior as embedding, and its predictions for the validation clips
        and for the training clips.
    """
    predictions, pool = regression_on_bands(data.train, data.validation, data.labels, FRONT_END)
    by_posterior = measures_of(_embed_by_posterior(predictions), _embed_by_posterior(pool), 1.0)
    measures = measures_of(predictions, pool, 1.0)
    rows = (
        Row(REGRESSION, (), predictions.tracks, measures, "the statistics themselves"),
        Row(BY_POSTERIOR, (), predictions.tracks, by_posterior, "its posterior"),
    )
    return rows, predictions, pool


def measures_of(predictions: Predictions, pool: Predictions, temperature: float) -> dict[str, AnyFloats]:
    """Computes the measures [n] of each evaluated clip.

    Args:
        predictions: predictions for the evaluated clips, at the temperature.
        pool: predictions for the clips to recommend.
        temperature: temperature of the predictions, above 0.

    Returns:
        1 where the first genre is right and 0 where it is not, the log-loss before the temperature and at one that
        other clips fitted, and the precision of the first 5 and 10 recommendations.

    Raises:
        DataUnusable: there are fewer than five clips.
    """
    raw = remove_temperature(predictions, temperature)
    fitted = cross_fitted(raw, predictions.genres)
    if fitted is None:
        clips = quantity(len(predictions.tracks), "clip is", "clips are")
        raise DataUnusable(f"{clips} too few to compare networks. Use five or more.")
    similarity = predictions.embedding @ pool.embedding.T
    each = np.arange(len(predictions.genres))
    return {
        "accuracy": (predictions.posterior.argmax(1) == predictions.genres).astype(np.float64),
        "log_loss_raw": -log_posterior(raw)[each, predictions.genres],
        "log_loss": -log_posterior(fitted)[each, predictions.genres],
        **{f"precision_at_{k}": precision_of_each(k, similarity, predictions.genres, pool.genres) for k in K_VALUES},
    }


def _measure_network(runs: Sequence[Run], data: TrainValidSplit, folder: Path) -> Row:
    # Artifacts are measured before their records are read, since loading one checks its files.
    measured = [_measure_artifact(run.folder(folder), data) for run in runs]
    records = [record for run in runs if (record := _record_of(run, folder))]
    network = runs[0].network
    return Row(
        name=network,
        seeds=tuple(run.seed for run in runs),
        tracks=tuple(clip.track for clip in data.validation.clips),
        clips={name: np.mean([clips[name] for clips in measured], axis=0) for name in MEASURES},
        embedding=RECIPES[network].embedding,
        epochs=tuple(record.epochs for record in records),
        minutes=tuple(record.seconds and record.seconds / 60 for record in records),
    )


def _measure_artifact(folder: Path, data: TrainValidSplit) -> dict[str, AnyFloats]:
    model = Model.load(folder)
    manifest = model.manifest
    if manifest.split_digest != data.split.digest:
        raise SplitMismatch(
            f"{folder} was trained on the split with the digest {manifest.split_digest[:16]}, not on "
            f"{data.split.label} ({data.split.digest[:16]}). Remove it, or compare on its own clips."
        )
    validation, train = (predict_dataset(model, side) for side in (data.validation, data.train))
    return measures_of(validation, train, manifest.temperature)


def _record_of(run: Run, folder: Path) -> RunRecord | None:
    """Reads the record of a run, or returns None where it has none."""
    record = read_record(run.folder(folder))
    if record and (record.network, record.plan["seed"]) != (run.network, run.seed):
        raise DataUnusable(
            f"{run.folder(folder)} holds {record.network} of seed {record.plan['seed']}, not {run.network} of seed "
            f"{run.seed}. Move it to the folder of its own name, or remove it."
        )
    return record


def _embed_by_posterior(predictions: Predictions) -> Predictions:
    lengths = np.linalg.norm(predictions.posterior, axis=1, keepdims=True)
    return replace(predictions, embedding=predictions.posterior / lengths)
