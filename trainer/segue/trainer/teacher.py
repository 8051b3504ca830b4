"""A teacher's tags: what a network learns to say beside the genre, and then forgets again (Hinton et al. 2015).

They come as an npz of ``tags`` float [patches, tags] in [0, 1] and ``track`` [patches]; the patches of a track are in
the order of time and spread evenly over it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from segue.trainer.data import Clip, Dataset, Floats
from segue.trainer.errors import DataUnusable


def read_teacher(path: Path) -> Mapping[str, Floats]:
    """The tags [patches, tags] of each track of a file.

    Raises:
        DataUnusable: there is no such file, it is damaged, or its fields do not fit each other.
    """
    fields = _read_fields(path)
    tags, tracks = fields["tags"], fields["track"]
    if tags.ndim != 2 or not tags.shape[1] or tags.dtype.kind != "f" or tracks.shape != tags.shape[:1]:
        raise DataUnusable(
            f"{path}: tags have the shape {tags.shape} and track {tracks.shape}, not [patches, tags] of numbers and "
            "[patches]. Make the file again."
        )
    if not ((tags >= 0) & (tags <= 1)).all():  # NaN is in no range
        raise DataUnusable(f"{path}: tags are not all numbers in [0, 1]. Make the file again.")
    values = tags.astype(np.float32)
    return {str(track): values[tracks == track] for track in np.unique(tracks)}


def teach(dataset: Dataset, tags: Mapping[str, Floats]) -> Dataset:
    """The clips with the tags of those that the teacher knows.

    Raises:
        DataUnusable: it knows none.
    """
    clips = tuple(replace(clip, tags=tags.get(clip.track)) for clip in dataset.clips)
    if all(clip.tags is None for clip in clips):
        raise DataUnusable(
            f"The teacher's tags are of other tracks, such as {next(iter(tags), 'none')}, and of none that is learnt "
            f"from, such as {clips[0].track}. Name the tags of this input by --tags, or leave it out."
        )
    return replace(dataset, clips=clips)


def tag_count(dataset: Dataset) -> int:
    """How many tags a teacher gave, 0 where there was none."""
    return next((clip.tags.shape[1] for clip in dataset.clips if clip.tags is not None), 0)


def taught_count(dataset: Dataset) -> int:
    """How many of the clips have a teacher's tags."""
    return sum(clip.tags is not None for clip in dataset.clips)


def tags_at(clip: Clip, places: NDArray[np.floating[Any]], count: int) -> Floats:
    """The tags [w, count] of the patches nearest to windows.

    Args:
        clip: it need not be taught.
        places: of the windows [w], from 0, the first that a clip has, to 1, the last.
        count: of the tags.

    Returns:
        NaN where nobody taught the clip.
    """
    if clip.tags is None:
        return np.full((len(places), count), np.nan, np.float32)
    return clip.tags[np.round(places * (len(clip.tags) - 1)).astype(np.int64)]


def tag_loss(tags: Any, logits: Any) -> Any:  # noqa: ANN401 - tensors; keras ships no types
    """The cross-entropy of each tag [..., tags] in nats, 0 where it is NaN."""
    known = ops.logical_not(ops.isnan(tags))
    loss = keras.ops.binary_crossentropy(ops.where(known, tags, 0.0), logits, from_logits=True)
    return ops.where(known, loss, 0.0)


def _read_fields(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("tags", "track")}
    except KeyError as error:
        raise DataUnusable(f"{path} is not a file of tags: it lacks tags or track. Name another by --tags.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataUnusable(
            f"{path} is not a file of tags (npz), or it is damaged or missing. Name another by --tags."
        ) from error
