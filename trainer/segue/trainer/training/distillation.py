"""Distillation (Hinton et al. 2015): a teacher's tags become part of the targets that a network is trained on.

The tags come from a file of tags (``segue.trainer.data.tag_file``), and each of its windows is a patch of its clip.
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
# Inverse strength of the ridge penalty, for 50 tags of some thousand windows.
_C = 3e-3


def attach_teacher_tags(dataset: Dataset, tags: Mapping[str, Floats]) -> Dataset:
    """Returns the clips with a teacher's tags, where it has tags for a clip.

    Raises:
        DataUnusable: it has tags for none of them.
    """
    clips = tuple(replace(clip, tags=tags.get(clip.track)) for clip in dataset.clips)
    if all(clip.tags is None for clip in clips):
        raise DataUnusable(
            f"The teacher has tags for none of the training clips, such as {clips[0].track}; its tracks are others, "
            f"such as {next(iter(tags), 'none')}. Name the tags of this input with --tags, or leave it out."
        )
    return replace(dataset, clips=clips)


def count_tagged(dataset: Dataset) -> int:
    """Returns the number of clips with a teacher's tags."""
    return sum(clip.tags is not None for clip in dataset.clips)


def nearest_patches(patches: Floats, places: NDArray[np.floating[Any]]) -> Floats:
    """Selects the patches of a clip that are nearest to windows.

    Args:
        patches: values [patches, d] of patches that are spread evenly over the clip.
        places: places of the windows [w], from 0 for the first possible one to 1 for the last.

    Returns:
        Values [w, d].
    """
    return patches[np.round(places * (len(patches) - 1)).astype(np.int64)]


def soft_targets(dataset: Dataset, labels: tuple[str, ...], distillation_weight: float) -> tuple[Floats, ...]:
    """Computes the targets [patches, genres] of each clip: its genre, partly replaced by what its tags predict.

    A logistic regression from tags to genres predicts each clip from folds without it, so that it cannot repeat the
    clip's own label. A clip without tags has its genre alone as target, and so has every clip where a genre has fewer
    than two clips with tags. A clip without a label has the posterior of its teacher as target.

    Args:
        dataset: the clips.
        labels: the genres, in the order of the posterior.
        distillation_weight: share of a target that the prediction replaces, in [0, 1].
    """
    own = np.eye(len(labels), dtype=np.float32)[[labels.index(clip.genre) for clip in dataset.clips]][:, None]
    targets = [
        genre if clip.posterior is None else clip.posterior for clip, genre in zip(dataset.clips, own, strict=True)
    ]
    tagged = [place for place, clip in enumerate(dataset.clips) if clip.tags is not None]
    genres = own[tagged, 0].argmax(1)
    folds = min([_FOLDS, *np.unique(genres, return_counts=True)[1]])
    if len(set(genres)) < 2 or folds < 2:
        return tuple(targets)
    odds = [_log_odds(clip.tags) for clip in dataset.clips if clip.tags is not None]
    for fitted, held_out in StratifiedKFold(folds, shuffle=True, random_state=0).split(genres, genres):
        regression = make_pipeline(StandardScaler(), LogisticRegression(C=_C, class_weight="balanced"))
        rows = np.repeat(genres[fitted], [len(odds[i]) for i in fitted])
        regression.fit(np.concatenate([odds[i] for i in fitted]), rows)
        for i in held_out:
            predicted = np.zeros((len(odds[i]), len(labels)), np.float32)
            predicted[:, regression.classes_] = regression.predict_proba(odds[i])
            targets[tagged[i]] = (1 - distillation_weight) * own[tagged[i]] + distillation_weight * predicted
    return tuple(targets)


def _log_odds(tags: Floats) -> Floats:
    safe = np.clip(tags, 1e-4, 1 - 1e-4)
    odds: Floats = np.log(safe) - np.log(1 - safe)
    return odds
