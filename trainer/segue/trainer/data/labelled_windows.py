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
from segue.trainer.data.front_end import windows_in_clip


@dataclass(frozen=True)
class LabelledWindows:
    """The windows of a labelled track.

    Attributes:
        track: name of the track.
        genre: the track's genre.
        windows: its windows as a network takes them.
    """

    track: str
    genre: str
    windows: Windows


def cut_windows(clip: Clip, config: FeatureConfig, max_windows: int) -> LabelledWindows:
    """Cuts the windows of a clip that the server would extract from its audio.

    Args:
        clip: the clip.
        config: the front end.
        max_windows: largest number of windows, 1 or above.
    """
    starts = spread_starts(clip.decibels.shape[1], config.columns, max_windows)
    values = np.stack([cut_window(clip.decibels, int(start), config) for start in starts])
    seconds = np.array([config.grid.frame(int(start)) * config.hop / config.sample_rate for start in starts])
    return LabelledWindows(clip.track, clip.genre, Windows(values, seconds))


def cut_window(decibels: Floats, start: int, config: FeatureConfig) -> Floats:
    """Cuts the window [bands, config.columns] that begins at column ``start``, on the network's scale."""
    return relative_decibels(decibels[:, start : start + config.columns], config.floor_db)


def chunk_dataset(dataset: Dataset, config: FeatureConfig) -> Dataset:
    """Turns the windows of each clip into clips of their own, for a split by chunks."""
    clips = (cut_windows(clip, config, windows_in_clip(config.columns)) for clip in dataset.clips)
    chunks = (Clip(chunk.track, chunk.genre, chunk.windows.values[0]) for clip in clips for chunk in chunks_of(clip))
    return Dataset(tuple(chunks), dataset.dropped)


def chunks_of(clip: LabelledWindows) -> list[LabelledWindows]:
    """Separates the windows of a clip, each named after the second at which it begins."""
    windows = clip.windows
    return [
        LabelledWindows(
            f"{clip.track}#{start:02.0f}s", clip.genre, Windows(windows.values[i : i + 1], windows.starts[i : i + 1])
        )
        for i, start in enumerate(windows.starts)
    ]


def served_windows(dataset: Dataset, config: FeatureConfig) -> dict[str, NDArray[np.generic]]:
    """Cuts the windows of all clips into one array.

    Args:
        dataset: the clips.
        config: the front end.

    Returns:
        ``windows`` [clips, w, bands, columns] for the w windows of a clip of 30 s, and ``mask`` [clips, w], true where
        a window is present; absent windows come last.
    """
    most = windows_in_clip(config.columns)
    clips = [cut_windows(clip, config, most).windows.values for clip in dataset.clips]
    values = np.zeros((len(clips), most, config.n_mels, config.columns), np.float32)
    mask = np.zeros((len(clips), most), bool)
    for row, windows in enumerate(clips):
        values[row, : len(windows)] = windows
        mask[row, : len(windows)] = True
    return {"windows": values, "mask": mask}
