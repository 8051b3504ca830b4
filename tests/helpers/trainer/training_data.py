"""Small data sets for tests of the trainer, which any machine can make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.log_mel_archive import recipe_of


def write_noise_archive(path: Path, settings: dict[str, Any] | None = None, **fields: Any) -> Path:  # noqa: ANN401 - any field of an npz
    """Writes an archive of six noisy clips in two genres.

    ``settings`` change its recipe; any other keyword replaces a field, and None leaves it out.
    """
    whole = {
        "X": np.random.default_rng(0).integers(0, 256, (6, 128, 387), np.uint8),
        "scale_db": np.float32(0.3125),
        "offset_db": np.float32(-79.84375),
        "track": np.array([f"{genre}.{number:05}" for genre in ("blues", "rock") for number in range(3)]),
        "genre": np.array(["blues"] * 3 + ["rock"] * 3),
        "recipe": np.array(json.dumps(recipe_of(FeatureConfig()) | (settings or {}))),
    } | fields
    np.savez(path, **{name: field for name, field in whole.items() if field is not None})
    return path


def make_noise_dataset(of_each: int = 3) -> Dataset:
    """Makes clips of noise, some of each of two genres that differ in their high bands."""
    random = np.random.default_rng(0)
    slopes = {"low": -40.0, "high": 0.0}
    clips = [
        Clip(
            f"{genre}.{number:05}",
            genre,
            (np.linspace(-5, slope, 128)[:, None] - 10 * random.random((128, 387))).astype(np.float32),
        )
        for genre, slope in slopes.items()
        for number in range(of_each)
    ]
    return Dataset(tuple(clips))
