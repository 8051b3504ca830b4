from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import Split

SIDES = {"a": "train", "b": "train", "c": "valid", "d": "valid"}


@pytest.fixture
def dataset() -> Dataset:
    """Four different clips in two genres."""
    random = np.random.default_rng(0)
    genres = {"a": "calm", "b": "loud", "c": "calm", "d": "loud"}
    return Dataset(
        tuple(Clip(name, genre, random.random((128, 387)).astype(np.float32)) for name, genre in genres.items())
    )


def test_a_recording_on_two_sides_is_refused(dataset: Dataset) -> None:
    """Two names for the same columns, one on each side, make figures too good; a leaky split says so."""
    *others, last = dataset.clips
    copied = Dataset((*others, replace(last, decibels=others[1].decibels)))
    with pytest.raises(SplitMismatch, match="b and d are the same recording"):
        TrainValidSplit.of(copied, Split("mine", SIDES))
    assert 2 == len(TrainValidSplit.of(copied, Split("mine", SIDES, "chunk")).validation.clips)


def test_clips_with_folds_are_all_trained_on(dataset: Dataset) -> None:
    """The validation side joins the training side, and a fold has sides of its own."""
    folds = ((np.array([0, 1]), np.array([2, 3])), (np.array([2, 3]), np.array([0, 1])))
    data = TrainValidSplit.of_folds(dataset, Split("mine", SIDES | {"e": "test"}), folds)
    assert (dataset.clips, (), dataset) == (data.train.clips, data.validation.clips, data.evaluated)
    assert {"a": "train", "b": "train", "c": "train", "d": "train", "e": "test"} == data.split.sides
    fold = data.fold(0)
    assert (["a", "b"], ["c", "d"]) == (list(fold.train.genres), list(fold.validation.genres))
    assert ["c", "d"] == list(fold.evaluated.genres)


def test_clips_with_folds_have_finite_features(dataset: Dataset) -> None:
    """The message names the clip."""
    first, *others = dataset.clips
    damaged = Dataset((replace(first, decibels=first.decibels * np.float32(np.nan)), *others))
    with pytest.raises(DataUnusable, match="a holds features that are not finite"):
        TrainValidSplit.of_folds(damaged, Split("mine", SIDES), [])


def test_features_that_are_not_numbers_are_refused(dataset: Dataset) -> None:
    """The message names the clip, before anything is trained on it."""
    first, *others = dataset.clips
    damaged = Dataset((replace(first, decibels=first.decibels * np.float32(np.nan)), *others))
    with pytest.raises(DataUnusable, match="a holds features that are not finite"):
        TrainValidSplit.of(damaged, Split("mine", SIDES))


@pytest.mark.parametrize("side", ["train", "valid"])
def test_an_empty_side_is_refused(dataset: Dataset, side: str) -> None:
    """The message names the side."""
    with pytest.raises(DataUnusable, match=f"on the side '{side}'"):
        TrainValidSplit.of(dataset, Split("mine", dict.fromkeys("abcd", "valid" if side == "train" else "train")))


def test_a_genre_without_training_clips_is_refused(dataset: Dataset) -> None:
    """The network could not learn it, and every validation clip of it would be wrong."""
    first, *others = dataset.clips
    third = Dataset((first, *others, Clip("e", "new", first.decibels + 1)))
    with pytest.raises(DataUnusable, match="new: there are clips to validate on, but none to train on"):
        TrainValidSplit.of(third, Split("mine", SIDES | {"e": "valid"}))
