from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.taught_clips import add_taught_clips
from segue.trainer.splits.split import TRAIN, VALID, Split

POSTERIOR = np.array([[0.9, 0.1]], np.float32)


def make_clip(track: str, seed: int, posterior: Floats | None = None) -> Clip:
    """Makes a clip of noise; the same seed gives the same recording."""
    decibels = np.random.default_rng(seed).random((128, 39), np.float32)
    return Clip(track, track[0], decibels, posterior=posterior)


@pytest.fixture
def data() -> TrainValidSplit:
    """Two training clips and a validation clip of the genres a and b."""
    clips = (make_clip("a.0", 0), make_clip("b.0", 1), make_clip("a.1", 2))
    return TrainValidSplit.of(Dataset(clips), Split("drawn", {"a.0": TRAIN, "b.0": TRAIN, "a.1": VALID}))


def test_posteriors_get_the_order_of_the_labels(data: TrainValidSplit) -> None:
    """A teacher may have the genres in another order; the labelled clips stay as they are."""
    together = add_taught_clips(data, Dataset((make_clip("unlabelled: x", 9, POSTERIOR),)), ("b", "a"))
    (clip,) = together.taught.clips
    assert clip.posterior is not None
    assert POSTERIOR[:, ::-1].tolist() == clip.posterior.tolist()
    assert (data.train, data.validation) == (together.train, together.validation)
    assert [*data.train.clips, clip] == list(together.learned.clips)
    assert data.digest != together.digest


def test_copies_are_left_out(data: TrainValidSplit) -> None:
    """A copy of a validation clip would make the figures too good, and copies of each other would count twice."""
    taught = [make_clip(f"unlabelled: {number}", seed, POSTERIOR) for number, seed in enumerate((0, 2, 9, 9))]
    assert ["unlabelled: 2"] == [
        clip.track for clip in add_taught_clips(data, Dataset((*taught,)), ("a", "b")).taught.clips
    ]


def test_unlabelled_clips_that_cannot_be_used(data: TrainValidSplit) -> None:
    """A teacher of other genres and a folder of copies are refused."""
    taught = Dataset((make_clip("unlabelled: x", 9, POSTERIOR),))
    with pytest.raises(DataUnusable, match="The teacher has the genres a, c, and the labelled clips have a, b"):
        add_taught_clips(data, taught, ("a", "c"))
    copies = Dataset((replace(taught.clips[0], decibels=data.train.clips[0].decibels),))
    with pytest.raises(DataUnusable, match="No unlabelled clip can be used"):
        add_taught_clips(data, copies, ("a", "b"))
