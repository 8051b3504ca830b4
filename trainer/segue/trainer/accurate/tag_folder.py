"""Assigns MusiCNN's tags to the clips of a folder."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from segue.core.features.config import FeatureConfig
from segue.trainer.accurate.musicnn import FEATURES, TAGS
from segue.trainer.data.folder import Progress, extract_each, list_folder
from segue.trainer.data.labelled_windows import LabelledWindows
from segue.trainer.data.tagged_track import MAX_SIDE_BY_SIDE, TaggedTrack
from segue.trainer.errors import DataUnusable
from segue.trainer.splits.split import check_names

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
        DataUnusable: the folder or all of its files cannot be used, or the name of a file cannot be saved.
    """
    files, tagged, dropped = list_folder(folder), list[TaggedTrack](), dict[str, str]()
    check_names(file.track for file in files)
    for file, result in progress(extract_each(files, features, MAX_TAGGED_WINDOWS), len(files)):
        if isinstance(result, str):
            dropped[file.track] = result
        else:
            tagged.append(_tag(result, backbone))
    if not tagged:
        raise DataUnusable(f"No file in {folder} can be used: {next(iter(dropped.values()))} Name another folder.")
    return tuple(tagged), dropped


def _tag(clip: LabelledWindows, backbone: keras.Model) -> TaggedTrack:
    tags, layer = np.split(backbone.predict(clip.windows.values, batch_size=_BATCH, verbose=0), [TAGS], axis=1)
    return TaggedTrack(clip.track, clip.genre, tags, layer)
