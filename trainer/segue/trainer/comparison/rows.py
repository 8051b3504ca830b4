"""What a comparison measures, and the rows of its tables."""

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
    def of(cls, values: AnyFloats, tracks: Sequence[str]) -> Estimate:
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
    clips: dict[str, AnyFloats]
    embedding: str
    epochs: tuple[int, ...] = ()
    minutes: tuple[float | None, ...] = ()

    def estimate(self, measure: str) -> Estimate:
        """One of ``MEASURES``."""
        return Estimate.of(self.clips[measure], self.tracks)

    def gain(self, other: Row, measure: str) -> Estimate:
        """How much higher than another network's a measure is, clip by clip."""
        return Estimate.of(self.clips[measure] - other.clips[measure], self.tracks)
