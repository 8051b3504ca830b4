"""Training batches for ``segue-fast``: augmented windows, cut anywhere in the clips."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.core.features.log_mel import relative_decibels
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset
from segue.trainer.training.distillation import nearest_patches
from segue.trainer.training.plans import Augmentation

_WINDOWS_PER_EPOCH = 10


class ClipBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Batches of clips, each with a few windows in the order of time.

    Batch b of epoch e is determined by the seed, e and b, so that a resumed run gets the batches of an uninterrupted
    one.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own, named where it is passed
        self,
        dataset: Dataset,
        targets: Sequence[Floats],
        config: FeatureConfig,
        band_means: Floats,
        *,
        augmentation: Augmentation,
        clips: int,
        windows: int,
        seed: int,
    ) -> None:
        """Holds the clips.

        Args:
            dataset: the clips.
            targets: targets [patches, genres] of each clip, as ``soft_targets`` returns them.
            config: the front end.
            band_means: mean [bands] of each band, which masked bars get.
            augmentation: variation of the windows.
            clips: clips in a batch.
            windows: windows of each clip in a batch.
            seed: seed of the batches.
        """
        super().__init__()
        self._clips = dataset.clips
        self._targets = targets
        self._config = config
        self._band_means = band_means
        self._augmentation = augmentation
        # A chunk is a clip of one window; a batch then has as many windows, each of another chunk.
        has_long_clips = any(clip.decibels.shape[1] > config.columns for clip in dataset.clips)
        self._windows = windows if has_long_clips else 1
        self._batch = min(clips * windows // self._windows, len(dataset.clips))
        self._windows_per_epoch = _WINDOWS_PER_EPOCH if has_long_clips else 1
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        """Returns the batches in an epoch, which has about ten windows of every clip, or each chunk once."""
        return max(1, self._windows_per_epoch * len(self._clips) // (self._batch * self._windows))

    def __getitem__(self, index: int) -> tuple[dict[str, NDArray[np.generic]], dict[str, Floats]]:
        """Returns a batch: windows and mask in, targets of clips and of windows out."""
        random = np.random.default_rng([self._seed, self.epoch, index])
        rows = random.choice(len(self._clips), self._batch, replace=False)
        drawn = [self._draw_clip(row, random) for row in rows]
        windows = np.stack([windows for windows, _ in drawn])
        targets = {name: np.stack([targets[name] for _, targets in drawn]) for name in drawn[0][1]}
        return {"windows": windows, "mask": draw_mask(self._batch, self._windows, random)}, targets

    def on_epoch_end(self) -> None:
        """Gives the next epoch other windows."""
        self.epoch += 1

    def _draw_clip(self, row: int, random: np.random.Generator) -> tuple[Floats, dict[str, Floats]]:
        """Draws windows [w, bands, columns] of a clip, with their targets."""
        clip, targets = self._clips[row], self._targets[row]
        places = np.sort(random.random(self._windows))
        windows = np.stack([self._draw_window(clip.decibels, place, random) for place in places])
        return windows, {"clip": targets.mean(0), "window": nearest_patches(targets, places)}

    def _draw_window(self, decibels: Floats, place: float, random: np.random.Generator) -> Floats:
        settings, width = self._augmentation, self._config.columns
        stretched = round(width * random.uniform(1 - settings.stretch, 1 + settings.stretch))
        span = min(stretched, decibels.shape[1])
        start = int(place * (decibels.shape[1] - span + 1))
        columns = start + np.round(np.linspace(0, span - 1, width)).astype(np.int64)
        shift = random.integers(-settings.shift, settings.shift + 1)
        bands = np.clip(np.arange(len(decibels)) + shift, 0, len(decibels) - 1)
        noise = random.integers(-1, 2, (len(decibels), width)) * settings.noise_db
        change = noise + draw_colour(settings, len(decibels), random)
        window = relative_decibels(decibels[np.ix_(bands, columns)] + change.astype(np.float32), self._config.floor_db)
        for _ in range(settings.masks):
            self._mask_bars(window, random)
        return window

    def _mask_bars(self, window: Floats, random: np.random.Generator) -> None:
        """Masks a bar of bands and a bar of columns (SpecAugment, Park et al. 2019)."""
        bands, columns = window.shape
        height = random.integers(0, self._augmentation.mask_bands + 1)
        low = random.integers(0, bands - height + 1)
        window[low : low + height] = self._band_means[low : low + height, None]
        length = random.integers(0, self._augmentation.mask_columns + 1)
        first = random.integers(0, columns - length + 1)
        window[:, first : first + length] = self._band_means[:, None]


def draw_colour(augmentation: Augmentation, bands: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draws a smooth gain in decibels [bands, 1], by straight lines between five points."""
    points = random.normal(0, augmentation.colour_db, 5)
    return np.interp(np.arange(bands), np.linspace(0, bands - 1, 5), points)[:, None]


def draw_mask(clips: int, windows: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Draws which windows are present [clips, windows]: all in half of the clips, any number from 1 in the others."""
    counts = np.where(random.random(clips) < 0.5, windows, random.integers(1, windows + 1, clips))
    present: NDArray[np.bool_] = np.arange(windows) < counts[:, None]
    return present
