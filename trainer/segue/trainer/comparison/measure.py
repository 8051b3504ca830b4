"""The networks side by side: the same clips, the same splits, several seeds, with intervals over clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.model.artifact import MANIFEST
from segue.core.model.saved_model import Model
from segue.trainer.data.dataset import windows_of
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.evaluation.analysis import cross_fitted
from segue.trainer.evaluation.baselines import regression_on_bands
from segue.trainer.evaluation.metrics import bootstrap_interval, log_softmax, precision_of_each
from segue.trainer.evaluation.predictions import FEW, MANY, Predictions, predict
from segue.trainer.reporting.run_record import Record, read_record
from segue.trainer.runs.resume import identity_of, keep_going
from segue.trainer.runs.train_run import FRONT_END, Sides, train_artifact
from segue.trainer.training.checkpoint import checkpoint_path
from segue.trainer.training.fit import Course, Watch
from segue.trainer.training.recipes import RECIPES

Floats = NDArray[np.floating[Any]]
REGRESSION = "logistic regression on band statistics"
BY_POSTERIOR = "the same, recommending by its posterior"
MEASURES = ("accuracy", "log_loss_raw", "log_loss", "precision_at_5", "precision_at_10")


@dataclass(frozen=True)
class Run:
    """One network to be trained on one split by one seed."""

    split: str
    network: str
    seed: int

    def folder(self, runs: Path) -> Path:
        """Where its artifact lies."""
        return runs / self.split / f"{self.network}-s{self.seed}"


@dataclass(frozen=True)
class Estimate:
    """A mean over clips and seeds, and its 95 % interval by resampling the tracks."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats, tracks: Sequence[str]) -> Estimate:
        """From values of clips or chunks [n], and which each is."""
        return cls(float(values.mean()), *bootstrap_interval(values, tracks))


@dataclass(frozen=True)
class Row:
    """A network in a table.

    Attributes:
        name: of the network.
        seeds: those that were measured.
        tracks: the clips or chunks that were judged.
        clips: the measures of each clip, mean over the seeds, by name.
        embedding: which layer it is.
        epochs: run, of each seed that has a record.
        minutes: of training, likewise; None where a part was not counted.
    """

    name: str
    seeds: tuple[int, ...]
    tracks: tuple[str, ...]
    clips: dict[str, Floats]
    embedding: str
    epochs: tuple[int, ...] = ()
    minutes: tuple[float | None, ...] = ()

    def estimate(self, measure: str) -> Estimate:
        """One of ``MEASURES``."""
        return Estimate.of(self.clips[measure], self.tracks)

    def gain(self, other: Row, measure: str) -> Estimate:
        """How much higher than another network's a measure is, clip by clip."""
        return Estimate.of(self.clips[measure] - other.clips[measure], self.tracks)


def train_run(run: Run, sides: Sides, folder: Path, watch: Watch) -> None:
    """Trains one network under ``folder``, and goes on where it was stopped; nothing where its artifact stands.

    Raises:
        TrainingError: it cannot be trained.
    """
    output = run.folder(folder)
    if (output / MANIFEST).exists():
        return
    recipe = RECIPES[run.network]
    plan = recipe.planned(run.seed, None)
    judged = f"--split {run.split} --side valid --pool train"
    command = f"segue-trainer evaluate --model {output.name} --input INPUT {judged}"

    def work(course: Course) -> object:
        return train_artifact(sides, output, recipe, plan, name=run.network, command=command, course=course)

    resume = checkpoint_path(output).exists()
    keep_going(output, Course(watch, resume=resume, identity=identity_of(sides, recipe, plan)), work, _say_nothing)


def measure_networks(runs: Sequence[Run], sides: Sides, folder: Path) -> list[Row]:
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


def measure_regression(sides: Sides) -> tuple[tuple[Row, Row], Predictions, Predictions]:
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


def measures_of(judged: Predictions, pool: Predictions, temperature: float) -> dict[str, Floats]:
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
        "precision_at_5": precision_of_each(FEW, similarity, judged.genres, pool.genres),
        "precision_at_10": precision_of_each(MANY, similarity, judged.genres, pool.genres),
    }


def _record_of(run: Run, folder: Path) -> Record | None:
    """The record of a run, or None where it has none."""
    record = read_record(run.folder(folder))
    if record and (record.network, record.plan["seed"]) != (run.network, run.seed):
        raise DataUnusable(
            f"{run.folder(folder)} holds {record.network} of seed {record.plan['seed']}, not {run.network} of seed "
            f"{run.seed}. Move it to the folder of its own name, or remove it."
        )
    return record


def _measure_artifact(folder: Path, sides: Sides) -> dict[str, Floats]:
    model = Model.load(folder)
    manifest = model.manifest
    if manifest.split_digest != sides.split.digest:
        raise SplitMismatch(
            f"{folder} was trained by the split with the digest {manifest.split_digest[:16]}, not by "
            f"{sides.split.label} ({sides.split.digest[:16]}). Remove it, or compare on its own clips."
        )
    valid, learnt = (
        predict(model, [windows_of(clip, manifest.features, manifest.windows) for clip in side.clips])
        for side in (sides.valid, sides.learnt)
    )
    return measures_of(valid, learnt, manifest.temperature)


def _say_nothing(text: str) -> None:
    """The same command goes on without being told."""
