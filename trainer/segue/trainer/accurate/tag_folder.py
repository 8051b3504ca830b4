"""Assigns MusiCNN's tags to the clips of a folder."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from segue.core.features.config import FeatureConfig
from segue.trainer.accurate.musicnn import FEATURES, TAGS
from segue.trainer.data.folder import Progress, extract_folder, list_folder
from segue.trainer.data.tagged_track import MAX_SIDE_BY_SIDE, TaggedTrack
from segue.trainer.errors import DataUnusable

MAX_TAGGED_WINDOWS = MAX_SIDE_BY_SIDE
"""Largest number of windows of a track that are tagged: twice those that are served, so that epochs differ."""

_BATCH = 16


def tag_folder(
    folder: Path, backbone: keras.Model, progress: Progress, features: FeatureConfig = FEATURES
) -> tuple[tuple[TaggedTrack, ...], dict[str, str]]:
    """Assigns MusiCNN's tags to the tracks of a folder in GTZAN's layout.

    Args:
        folder: the folder.
        backbone: MusiCNN.
        progress: shows how many are done.
        features: front end of the backbone.

    Returns:
        The tracks, and the reason why each of the others was dropped, by its name.

    Raises:
        DataUnusable: the folder or all of its files cannot be used.
    """
    clips, dropped = extract_folder(list_folder(folder), features, MAX_TAGGED_WINDOWS, progress)
    if not clips:
        raise DataUnusable(f"No file in {folder} can be used: {next(iter(dropped.values()))} Name another folder.")
    tagged = []
    for clip in clips:
        tags, layer = np.split(backbone.predict(clip.windows.values, batch_size=_BATCH, verbose=0), [TAGS], axis=1)
        tagged.append(TaggedTrack(clip.track, clip.genre, tags, layer))
    return tuple(tagged), dropped
