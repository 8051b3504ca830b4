"""A teacher's tags, and what they make of a clip's genre, which is what a network learns (Hinton et al. 2015).

They come as a file of tags (``segue.trainer.data.tag_file``); a patch is what a window is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset
from segue.trainer.errors import DataUnusable

_FOLDS = 5
# Of the ridge penalty, inverse: 50 tags of some thousand windows.
_STRENGTH = 3e-3


def attach_teacher_tags(dataset: Dataset, tags: Mapping[str, Floats]) -> Dataset:
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


def count_tagged(dataset: Dataset) -> int:
    """How many of the clips have a teacher's tags."""
    return sum(clip.tags is not None for clip in dataset.clips)


def nearest(patches: Floats, places: NDArray[np.floating[Any]]) -> Floats:
    """Those [w, d] of a clip's patches [patches, d] that are nearest to windows.

    Args:
        patches: spread evenly over the clip.
        places: of the windows [w], from 0, the first that a clip has, to 1, the last.
    """
    return patches[np.round(places * (len(patches) - 1)).astype(np.int64)]


def soft_targets(dataset: Dataset, labels: tuple[str, ...], trust: float) -> tuple[Floats, ...]:
    """The genres [patches, genres] that each clip is learnt as: its own, in part replaced by what its tags sound like.

    What the tags sound like is said by a logistic regression that has not met the clip, so that it does not repeat what
    it was told. A clip that nobody taught is its own genre alone, and so is every clip where a genre has fewer than two
    taught ones.

    Args:
        dataset: the clips.
        labels: the genres, in the order of the posterior.
        trust: the part that is replaced, in [0, 1].
    """
    own = np.eye(len(labels), dtype=np.float32)[[labels.index(clip.genre) for clip in dataset.clips]][:, None]
    beliefs = list(own)
    taught = [place for place, clip in enumerate(dataset.clips) if clip.tags is not None]
    genres = own[taught, 0].argmax(1)
    folds = min([_FOLDS, *np.unique(genres, return_counts=True)[1]])
    if len(set(genres)) < 2 or folds < 2:
        return tuple(beliefs)
    odds = [_log_odds(clip.tags) for clip in dataset.clips if clip.tags is not None]
    for met, other in StratifiedKFold(folds, shuffle=True, random_state=0).split(genres, genres):
        regression = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, class_weight="balanced"))
        regression.fit(np.concatenate([odds[i] for i in met]), np.repeat(genres[met], [len(odds[i]) for i in met]))
        for i in other:
            said = np.zeros((len(odds[i]), len(labels)), np.float32)
            said[:, regression.classes_] = regression.predict_proba(odds[i])
            beliefs[taught[i]] = (1 - trust) * own[taught[i]] + trust * said
    return tuple(beliefs)


def _log_odds(tags: Floats) -> Floats:
    safe = np.clip(tags, 1e-4, 1 - 1e-4)
    odds: Floats = np.log(safe) - np.log(1 - safe)
    return odds
