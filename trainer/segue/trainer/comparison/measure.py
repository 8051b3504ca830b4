"""The networks side by side: the same clips, the same splits, several seeds, with intervals over clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segue.core.model.artifact import MANIFEST
from segue.core.model.saved_model import Model
from segue.trainer.arrays import AnyFloats
from segue.trainer.comparison.rows import BY_POSTERIOR, MEASURES, REGRESSION, Row, Run
from segue.trainer.data.front_end import FRONT_END
from segue.trainer.data.labelled_windows import cut_windows
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.evaluation.analysis import cross_fitted
from segue.trainer.evaluation.baselines import regression_on_bands
from segue.trainer.evaluation.metrics import K_VALUES, log_softmax, precision_of_each
from segue.trainer.evaluation.predict import predict
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.reporting.run_record import RunRecord, read_record
from segue.trainer.training.recipes import RECIPES


def measure_networks(runs: Sequence[Run], sides: TrainValidSplit, folder: Path) -> list[Row]:
    """Judges the artifacts of one split; a network without any is left out.

    Raises:
        SplitMismatch: an artifact was trained by another split.
        DataUnusable: an artifact is of another network or another seed than its folder's name says.
        ArtifactError: an artifact cannot be loaded.
    """
    there = [run for run in runs if (run.folder(folder) / MANIFEST).exists()]
    rows = []
    for network in dict.fromkeys(run.network for run in there):
        mine = [run for run in there if run.network == network]
        # First what checks every file of an artifact, its record among them.
        measured = [_measure_artifact(run.folder(folder), sides) for run in mine]
        records = [record for run in mine if (record := _record_of(run, folder))]
        rows.append(
            Row(
                name=network,
                seeds=tuple(run.seed for run in mine),
                tracks=tuple(clip.track for clip in sides.valid.clips),
                clips={name: np.mean([clips[name] for clips in measured], axis=0) for name in MEASURES},
                embedding=RECIPES[network].embedding,
                epochs=tuple(record.epochs for record in records),
                minutes=tuple(record.seconds and record.seconds / 60 for record in records),
            )
        )
    return rows


def measure_regression(sides: TrainValidSplit) -> tuple[tuple[Row, Row], Predictions, Predictions]:
    """Judges logistic regression on band statistics.

    Returns:
        It with the statistics as embedding, and with its posterior; its answers to the judged clips and to the others.
    """
    judged, pool = regression_on_bands(sides.learnt, sides.valid, sides.labels, FRONT_END)
    by_posterior = measures_of(_by_posterior(judged), _by_posterior(pool), 1.0)
    plain = Row(REGRESSION, (), judged.tracks, measures_of(judged, pool, 1.0), "the statistics themselves")
    return (plain, Row(BY_POSTERIOR, (), judged.tracks, by_posterior, "its posterior")), judged, pool


def _by_posterior(said: Predictions) -> Predictions:
    return replace(said, embedding=said.posterior / np.linalg.norm(said.posterior, axis=1, keepdims=True))


def measures_of(judged: Predictions, pool: Predictions, temperature: float) -> dict[str, AnyFloats]:
    """The measures [n] of each judged clip.

    Args:
        judged: answers, with the temperature in them.
        pool: answers to the clips that are recommended.
        temperature: the one in the answers, above 0.

    Returns:
        Whether the first genre is right, the log-loss before the temperature and at one that was fitted on other
        clips, and the precision of the first 5 and 10 recommendations.

    Raises:
        DataUnusable: fewer than five clips are judged.
    """
    raw = np.exp(log_softmax(temperature * np.log(np.maximum(judged.posterior.astype(np.float64), 1e-30))))
    fitted = cross_fitted(raw, judged.genres)
    if fitted is None:
        raise DataUnusable(f"{len(judged.tracks)} clips are too few to compare networks by. Give it five or more.")
    similarity = judged.embedding @ pool.embedding.T
    each = np.arange(len(judged.genres))
    return {
        "accuracy": (judged.posterior.argmax(1) == judged.genres).astype(np.float64),
        "log_loss_raw": -np.log(np.maximum(raw[each, judged.genres], 1e-30)),
        "log_loss": -np.log(np.maximum(fitted[each, judged.genres], 1e-30)),
        **{f"precision_at_{k}": precision_of_each(k, similarity, judged.genres, pool.genres) for k in K_VALUES},
    }


def _record_of(run: Run, folder: Path) -> RunRecord | None:
    """The record of a run, or None where it has none."""
    record = read_record(run.folder(folder))
    if record and (record.network, record.plan["seed"]) != (run.network, run.seed):
        raise DataUnusable(
            f"{run.folder(folder)} holds {record.network} of seed {record.plan['seed']}, not {run.network} of seed "
            f"{run.seed}. Move it to the folder of its own name, or remove it."
        )
    return record


def _measure_artifact(folder: Path, sides: TrainValidSplit) -> dict[str, AnyFloats]:
    model = Model.load(folder)
    manifest = model.manifest
    if manifest.split_digest != sides.split.digest:
        raise SplitMismatch(
            f"{folder} was trained by the split with the digest {manifest.split_digest[:16]}, not by "
            f"{sides.split.label} ({sides.split.digest[:16]}). Remove it, or compare on its own clips."
        )
    valid, learnt = (
        predict(model, [cut_windows(clip, manifest.features, manifest.windows) for clip in side.clips])
        for side in (sides.valid, sides.learnt)
    )
    return measures_of(valid, learnt, manifest.temperature)
