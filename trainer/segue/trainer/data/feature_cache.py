"""Features that are computed once: kept by the content of the file and the fingerprint of the front end."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segue.core.features.config import FeatureConfig
from segue.core.files import atomic_write, sha256_of
from segue.trainer.arrays import Floats


def default_cache() -> Path:
    """Where features are kept when nobody says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segue" / "features"


@dataclass
class FeatureCache:
    """A folder of features, by fingerprint and content; a file that was renamed or moved is found again.

    Attributes:
        folder: where.
        config: the front end.
        trouble: why nothing more was kept, or empty.
    """

    folder: Path
    config: FeatureConfig
    trouble: str = field(default="", init=False)

    def find(self, audio: Path) -> Floats | None:
        """The columns [bands, columns] of a file, or None where they are not kept, or not whole."""
        try:
            decibels: Floats = np.load(self._place(audio), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        config = self.config
        fits = decibels.ndim == 2 and len(decibels) == config.n_mels and decibels.shape[1] >= config.columns
        return decibels if fits and decibels.dtype == np.float32 else None

    def keep(self, audio: Path, decibels: Floats) -> None:
        """Keeps the columns of a file; a disk that is full is told in ``trouble`` and is no reason to stop."""
        place = self._place(audio)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(place) as file:
                np.save(file, decibels, allow_pickle=False)
        except OSError as error:
            self.trouble = f"features are not kept in {self.folder}: {error.strerror or error}"

    def _place(self, audio: Path) -> Path:
        name = sha256_of(audio)
        return self.folder / self.config.fingerprint / name[:2] / f"{name}.npy"
