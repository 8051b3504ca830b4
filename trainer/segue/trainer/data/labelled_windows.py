"""Windows of labelled clips, cut as the server cuts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.core.features.log_mel import relative_decibels
from segue.core.features.windows import Windows, spread_starts
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Clip, Dataset


@dataclass(frozen=True)
class LabelledWindows:
    """A clip as a network is asked about it.

    Attributes:
        track: its name.
        genre: what it is.
        windows: what the network sees.
    """

    track: str
    genre: str
    windows: Windows


def cut_windows(clip: Clip, config: FeatureConfig, most: int) -> LabelledWindows:
    """The windows of a clip that the server would see, cut from its columns."""
    starts = spread_starts(clip.decibels.shape[1], config.columns, most)
    values = np.stack([cut_window(clip.decibels, int(start), config) for start in starts])
    seconds = np.array([config.grid.frame(int(start)) * config.hop / config.sample_rate for start in starts])
    return LabelledWindows(clip.track, clip.genre, Windows(values, seconds))


def chunk_dataset(dataset: Dataset, config: FeatureConfig, most: int) -> Dataset:
    """The windows of every clip as clips of their own, for a split by chunks."""
    heard = (cut_windows(clip, config, most) for clip in dataset.clips)
    chunks = (Clip(chunk.track, chunk.genre, chunk.windows.values[0]) for clip in heard for chunk in chunks_of(clip))
    return Dataset(tuple(chunks), dataset.dropped)


def chunks_of(clip: LabelledWindows) -> list[LabelledWindows]:
    """The windows of a clip, each alone and named after the second that it begins at."""
    windows = clip.windows
    return [
        LabelledWindows(
            f"{clip.track}#{start:02.0f}s", clip.genre, Windows(windows.values[i : i + 1], windows.starts[i : i + 1])
        )
        for i, start in enumerate(windows.starts)
    ]


def cut_window(decibels: Floats, start: int, config: FeatureConfig) -> Floats:
    """The window [bands, config.columns] that begins at column ``start``, on the network's scale."""
    return relative_decibels(decibels[:, start : start + config.columns], config.floor_db)


def served_windows(dataset: Dataset, config: FeatureConfig, most: int) -> dict[str, NDArray[np.generic]]:
    """The windows of every clip as the server would cut them, filled up to ``most``: windows and mask."""
    heard = [cut_windows(clip, config, most).windows.values for clip in dataset.clips]
    values = np.zeros((len(heard), most, config.n_mels, config.columns), np.float32)
    mask = np.zeros((len(heard), most), bool)
    for row, windows in enumerate(heard):
        values[row, : len(windows)] = windows
        mask[row, : len(windows)] = True
    return {"windows": values, "mask": mask}
