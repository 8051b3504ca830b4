"""The runs of a comparison, and the rows of its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.trainer.arrays import AnyFloats
from segue.trainer.evaluation.metrics import bootstrap_interval

REGRESSION = "logistic regression on band statistics"
BY_POSTERIOR = "the same, recommending by its posterior"
MEASURES = ("accuracy", "log_loss_raw", "log_loss", "precision_at_5", "precision_at_10")


@dataclass(frozen=True)
class Run:
    """A network, the split that it is trained on, and its seed."""

    split: str
    network: str
    seed: int

    def folder(self, runs: Path) -> Path:
        """Returns the folder of its artifact."""
        return runs / self.split / f"{self.network}-s{self.seed}"


@dataclass(frozen=True)
class Estimate:
    """A mean over clips and seeds, and its 95 % interval by resampling the tracks."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: AnyFloats, tracks: Sequence[str]) -> Estimate:
        """Estimates the mean of values [n] of the named clips or chunks [n]."""
        return cls(float(values.mean()), *bootstrap_interval(values, tracks))


@dataclass(frozen=True)
class Row:
    """A network in a table.

    Attributes:
        name: name of the network.
        seeds: seeds of the measured runs.
        tracks: names of the evaluated clips or chunks.
        clips: measures of each clip by name, averaged over the seeds.
        embedding: the layer that the embedding is.
        epochs: number of epochs of each run that has a record.
        minutes: training time of each run that has a record; None where part of it was not measured.
    """

    name: str
    seeds: tuple[int, ...]
    tracks: tuple[str, ...]
    clips: dict[str, AnyFloats]
    embedding: str
    epochs: tuple[int, ...] = ()
    minutes: tuple[float | None, ...] = ()

    def estimate(self, measure: str) -> Estimate:
        """Estimates one of ``MEASURES``."""
        return Estimate.of(self.clips[measure], self.tracks)

    def gain(self, other: Row, measure: str) -> Estimate:
        """Estimates how much higher a measure is than that of another network, clip by clip."""
        return Estimate.of(self.clips[measure] - other.clips[measure], self.tracks)
