"""The runs of a comparison: a network, the split that it is trained on, and its seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.splits.split import CHUNKS, SHIPPED

SEEDS = (0, 1, 2)
COMBINED = f"{CNN}+{CNN_LSTM}"
"""The CNN and the CNN-LSTM of one seed, joined in equal shares."""

LONGER = tuple(f"{CNN_LSTM}-{seconds}s" for seconds in (6, 15, 30))
"""The CNN-LSTM over longer windows."""

# A chunk of 30 s is a whole clip, whose split does not leak.
_NETWORKS = {SHIPPED[0]: (CNN, CNN_LSTM, COMBINED, *LONGER), CHUNKS: (CNN, CNN_LSTM, COMBINED, *LONGER[:-1])}


@dataclass(frozen=True)
class Run:
    """A network, the split that it is trained on, and its seed."""

    split: str
    network: str
    seed: int

    @property
    def members(self) -> tuple[Run, ...]:
        """The runs whose networks are joined; of a single network, the run itself."""
        if self.network != COMBINED:
            return (self,)
        return tuple(Run(self.split, network, self.seed) for network in COMBINED.split("+"))

    def folder(self, parent: Path) -> Path:
        """Returns the folder of its model or of its results in a folder of those of all runs."""
        return parent / self.split / f"{self.network}-s{self.seed}"


def planned_runs() -> dict[str, tuple[Run, ...]]:
    """Returns the runs of a comparison by their split, all networks with one seed before those with the next."""
    return {
        split: tuple(Run(split, network, seed) for seed in SEEDS for network in networks)
        for split, networks in _NETWORKS.items()
    }
