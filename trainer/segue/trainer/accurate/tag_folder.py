"""Tags the clips of a folder with MusiCNN."""

from __future__ import annotations

from pathlib import Path

import keras

from segue.core.features.config import FeatureConfig
from segue.trainer.accurate.musicnn import FEATURES
from segue.trainer.accurate.tags import MAX_TAGGED_WINDOWS, TaggedTrack
from segue.trainer.data.folder import Progress, extract_folder, list_folder
from segue.trainer.errors import DataUnusable

_BATCH = 16


def tag_folder(
    folder: Path, backbone: keras.Model, progress: Progress, features: FeatureConfig = FEATURES
) -> tuple[tuple[TaggedTrack, ...], dict[str, str]]:
    """Tags the tracks of a folder in GTZAN's layout.

    Returns:
        The tracks, and why a file was not heard, by its track.

    Raises:
        DataUnusable: the folder cannot be used, or nothing in it can be heard.
    """
    heard, dropped = extract_folder(list_folder(folder), features, MAX_TAGGED_WINDOWS, progress)
    if not heard:
        raise DataUnusable(f"Nothing in {folder} can be heard: {next(iter(dropped.values()))} Name another folder.")
    tagged = (
        TaggedTrack(clip.track, clip.genre, backbone.predict(clip.windows.values, batch_size=_BATCH, verbose=0))
        for clip in heard
    )
    return tuple(tagged), dropped
