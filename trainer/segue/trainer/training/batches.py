"""What the network learns from: windows cut anywhere in the clips, each time a little different."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.core.features.log_mel import relative_decibels
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset
from segue.trainer.training.distillation import nearest
from segue.trainer.training.plans import Augmentation


class ClipBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Batches of clips, a few windows of each in the order of time.

    A clip is learnt as its beliefs say (see ``segue.trainer.training.distillation.soft_targets``).
    Batch b of epoch e follows from the seed, e and b alone, so a run that is resumed meets what it would have met.
    """

    def __init__(  # noqa: PLR0913 - each is its own setting, named where it is called
        self,
        dataset: Dataset,
        beliefs: Sequence[Floats],
        config: FeatureConfig,
        band_means: Floats,
        *,
        augmentation: Augmentation,
        clips: int,
        windows: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._clips = dataset.clips
        self._beliefs = beliefs
        self._config = config
        self._band_means = band_means
        self._augmentation = augmentation
        # Chunks are clips of one window: as many windows in a batch, each of another chunk.
        long = any(clip.decibels.shape[1] > config.columns for clip in dataset.clips)
        self._windows = windows if long else 1
        self._batch = min(clips * windows // self._windows, len(dataset.clips))
        self._heard = 10 if long else 1
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch, such that an epoch hears about ten windows of every clip, or each chunk once."""
        return max(1, self._heard * len(self._clips) // (self._batch * self._windows))

    def __getitem__(self, index: int) -> tuple[dict[str, NDArray[np.generic]], dict[str, Floats]]:
        """A batch: windows and mask in, genres of clips and of windows out."""
        random = np.random.default_rng([self._seed, self.epoch, index])
        chosen = random.choice(len(self._clips), self._batch, replace=False)
        drawn = [self._draw(clip, random) for clip in chosen]
        windows = np.stack([windows for windows, _ in drawn])
        targets = {name: np.stack([targets[name] for _, targets in drawn]) for name in drawn[0][1]}
        return {"windows": windows, "mask": draw_mask(self._batch, self._windows, random)}, targets

    def on_epoch_end(self) -> None:
        """The next epoch meets other windows."""
        self.epoch += 1

    def _draw(self, number: int, random: np.random.Generator) -> tuple[Floats, dict[str, Floats]]:
        """Windows [w, bands, columns] of a clip, and what they are learnt as."""
        clip, beliefs = self._clips[number], self._beliefs[number]
        places = np.sort(random.random(self._windows))
        windows = np.stack([self._draw_window(clip.decibels, place, random) for place in places])
        return windows, {"clip": beliefs.mean(0), "window": nearest(beliefs, places)}

    def _draw_window(self, decibels: Floats, place: float, random: np.random.Generator) -> Floats:
        how, width = self._augmentation, self._config.columns
        stretched = round(width * random.uniform(1 - how.stretch, 1 + how.stretch))
        span = min(stretched, decibels.shape[1])
        start = int(place * (decibels.shape[1] - span + 1))
        columns = start + np.round(np.linspace(0, span - 1, width)).astype(np.int64)
        bands = np.clip(np.arange(len(decibels)) + random.integers(-how.shift, how.shift + 1), 0, len(decibels) - 1)
        change = random.integers(-1, 2, (len(decibels), width)) * how.noise_db + draw_colour(how, len(decibels), random)
        window = relative_decibels(decibels[np.ix_(bands, columns)] + change.astype(np.float32), self._config.floor_db)
        for _ in range(how.masks):
            self._mask_bars(window, random)
        return window

    def _mask_bars(self, window: Floats, random: np.random.Generator) -> None:
        """Hides a bar of bands and a bar of columns (SpecAugment, Park et al. 2019)."""
        bands, columns = window.shape
        height = random.integers(0, self._augmentation.mask_bands + 1)
        low = random.integers(0, bands - height + 1)
        window[low : low + height] = self._band_means[low : low + height, None]
        length = random.integers(0, self._augmentation.mask_columns + 1)
        first = random.integers(0, columns - length + 1)
        window[:, first : first + length] = self._band_means[:, None]


def draw_colour(how: Augmentation, bands: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A smooth gain in decibels [bands, 1]: straight lines between five points."""
    points = random.normal(0, how.colour_db, 5)
    return np.interp(np.arange(bands), np.linspace(0, bands - 1, 5), points)[:, None]


def draw_mask(clips: int, windows: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Which windows are there [clips, windows]: all in half of the clips, any number from 1 up in the others."""
    counts = np.where(random.random(clips) < 0.5, windows, random.integers(1, windows + 1, clips))
    present: NDArray[np.bool_] = np.arange(windows) < counts[:, None]
    return present
