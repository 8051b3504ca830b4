"""Caches features of audio on disk, by the content of the file and the fingerprint of the front end."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segue.core.features.config import FeatureConfig
from segue.core.files import atomic_write, sha256_of
from segue.core.paths import home_folder
from segue.trainer.arrays import Floats

# NumPy parses the header of a file as Python. CPython 3.11 counts the depth of that for all threads together. It raises
# SystemError if one thread parses while another is interrupted in the middle.
_PARSING = threading.Lock()


def default_cache() -> Path | None:
    """Returns the folder of the cache: ``segue/features`` in the user's folder for caches, or None without a home."""
    home = home_folder()
    caches = os.environ.get("XDG_CACHE_HOME") or (home and home / ".cache")
    return Path(caches) / "segue" / "features" if caches else None


@dataclass
class FeatureCache:
    """A folder of features; a file that was renamed or moved is recognized by its content.

    Attributes:
        folder: folder of the cache.
        config: the front end.
        trouble: the reason why features could not be stored, or empty.
    """

    folder: Path
    config: FeatureConfig
    trouble: str = field(default="", init=False)

    def find(self, audio: Path) -> Floats | None:
        """Returns the columns [bands, columns] of a file, or None where they are missing or damaged."""
        try:
            path = self._path(audio)
            with _PARSING:
                decibels: Floats = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        config = self.config
        fits = decibels.ndim == 2 and len(decibels) == config.n_mels and decibels.shape[1] >= config.columns
        return decibels if fits and decibels.dtype == np.float32 else None

    def store(self, audio: Path, decibels: Floats) -> None:
        """Stores the columns of a file; ``trouble`` reports a full disk, which does not stop a run."""
        path = self._path(audio)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                np.save(file, decibels, allow_pickle=False)
        except OSError as error:
            self.trouble = f"features are not cached in {self.folder}: {error.strerror or error}"

    def _path(self, audio: Path) -> Path:
        digest = sha256_of(audio)
        return self.folder / self.config.fingerprint / digest[:2] / f"{digest}.npy"
