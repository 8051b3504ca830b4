"""A section of the results page: the results of one split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segue.trainer.comparison.rows import Row
from segue.trainer.comparison.runs import Run


@dataclass(frozen=True)
class ClipSet:
    """The clips or chunks of a split.

    Attributes:
        unit: "clips", or the chunks' length, such as "chunks of 3 s".
        train: number that networks are trained on.
        evaluated: number on the validation side.
        artists: number of artists with equally many evaluated clips that would be worth as much.
        digest: digest of the sides.
    """

    unit: str
    train: int
    evaluated: int
    artists: float
    digest: str

    @property
    def cells(self) -> Sequence[str]:
        """The cells of a table."""
        return (self.unit, str(self.train), str(self.evaluated), f"{self.artists:.0f}", self.digest[:16])


@dataclass(frozen=True)
class Section:
    """The results of one split.

    Attributes:
        label: label of the split.
        leaky: the split leaks.
        clips: the clips, or the chunks of each length.
        rows: the measured networks.
        baselines: logistic regression on band statistics, with these and with its posterior as embedding.
        chance: accuracy, log_loss and precision of chance.
        planned: all runs that belong on the page.
    """

    label: str
    leaky: bool
    clips: tuple[ClipSet, ...]
    rows: tuple[Row, ...]
    baselines: tuple[Row, Row]
    chance: dict[str, float]
    planned: tuple[Run, ...]

    @property
    def measured(self) -> Mapping[str, Row]:
        """The measured networks by their names."""
        return {row.name: row for row in self.rows}
