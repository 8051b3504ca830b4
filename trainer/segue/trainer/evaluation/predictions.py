"""Predictions of a network for labelled tracks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segue.trainer.arrays import Floats, Positions
from segue.trainer.data.npz import write_npz


@dataclass(frozen=True)
class Predictions:
    """Predictions of a network for labelled tracks.

    Attributes:
        tracks: names of the tracks, [n].
        genres: true genres [n], as positions among the labels.
        labels: the genres in the order of the posterior.
        posterior: [n, genres]; each row sums to 1.
        embedding: [n, e], each of length 1; e is 0 where the embeddings are not known.
        window_posteriors: posteriors [w, genres] of each track's windows.
    """

    tracks: tuple[str, ...]
    genres: Positions
    labels: tuple[str, ...]
    posterior: Floats
    embedding: Floats
    window_posteriors: tuple[Floats, ...]

    @property
    def has_embeddings(self) -> bool:
        """True where the embeddings are known."""
        return bool(self.embedding.shape[1])

    def save(self, path: Path) -> None:
        """Writes ``track`` [n], ``genres`` [genres], ``posterior`` [n, genres] and ``embedding`` [n, e] as npz."""
        fields = {"track": np.array(self.tracks), "genres": np.array(self.labels)}
        write_npz(path, fields | {"posterior": self.posterior, "embedding": self.embedding})
