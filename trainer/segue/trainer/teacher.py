"""A teacher's tags: what a network learns to say beside the genre, and then forgets again (Hinton et al. 2015).

They come as a file of tags (``segue.trainer.tag_file``); a patch is what a window is there.
"""

from __future__ import annotations

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
from segue.trainer.tag_file import read_tag_file


def read_teacher(path: Path) -> Mapping[str, Floats]:
    """The tags [patches, tags] of each track of a file.

    Raises:
        DataUnusable: there is no such file, it is damaged, or its fields do not fit each other.
    """
    return read_tag_file(path)


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
