"""The rows of a comparison's tables: a network's results as means over clips and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segue.trainer.arrays import AnyFloats
from segue.trainer.comparison.run_results import MEASURES, RunResults
from segue.trainer.evaluation.artists import ArtistSample, Interval


@dataclass(frozen=True)
class Row:
    """A network in a table.

    Attributes:
        name: name of the network.
        seeds: seeds of the measured runs.
        clips: names of the evaluated clips or chunks, [n].
        sample: their genres and artists.
        measures: measures of each clip [seeds, n] by name; those of a baseline have one row.
        embedding: the layer that the embedding is; empty for networks that are joined.
        epochs: number of epochs of each seed; none for networks that are joined.
        minutes: training time of each seed; None where part of it was not measured.
    """

    name: str
    seeds: tuple[int, ...]
    clips: tuple[str, ...]
    sample: ArtistSample
    measures: dict[str, AnyFloats]
    embedding: str
    epochs: tuple[int, ...] = ()
    minutes: tuple[float | None, ...] = ()

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The accuracy of each seed."""
        return tuple(float(share) for share in self.measures["accuracy"].mean(1)) if self.seeds else ()

    def estimate(self, measure: str) -> Interval:
        """Estimates the mean of one of ``MEASURES``, with its 95 % interval over artists."""
        values = self.measures[measure].mean(0)
        return self.sample.interval(values) if measure.startswith("log_loss") else self.sample.share_interval(values)

    def common_seeds(self, other: Row) -> list[int]:
        """Returns the seeds that another network was measured with, too."""
        return [seed for seed in self.seeds if seed in other.seeds]

    def gain(self, other: Row, measure: str) -> Interval:
        """Estimates how much better a measure is than that of another network, clip by clip over their common seeds."""
        sign = -1 if measure.startswith("log_loss") else 1
        seeds = self.common_seeds(other)
        means = (row.measures[measure][[row.seeds.index(seed) for seed in seeds]].mean(0) for row in (self, other))
        return self.sample.interval(sign * np.subtract(*means))


def row_of(results: Sequence[RunResults], sample: ArtistSample) -> Row:
    """Joins the results of one network with several seeds.

    Args:
        results: results of each seed, at least one.
        sample: the evaluated clips or chunks.
    """
    records = [result.record for result in results if result.record]
    return Row(
        name=results[0].run.network,
        seeds=tuple(result.run.seed for result in results),
        clips=results[0].clips,
        sample=sample,
        measures={name: np.stack([result.measures[name] for result in results]) for name in MEASURES},
        embedding=records[0].embedding if records else "",
        epochs=tuple(record.epochs for record in records),
        minutes=tuple(record.seconds and record.seconds / 60 for record in records),
    )
