from __future__ import annotations

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset, labels_of
from segue.trainer.data.labelled_windows import cut_windows, served_windows
from segue.trainer.errors import DataUnusable
from segue.trainer.training.batches import ClipBatches, draw_mask
from segue.trainer.training.distillation import soft_targets
from segue.trainer.training.plans import Augmentation

CONFIG = FeatureConfig()
LABELS = ("high", "low")


def batches(dataset: Dataset, seed: int = 0) -> ClipBatches:
    """Batches of four clips with three windows each."""
    means = np.full(128, -30, np.float32)
    beliefs = soft_targets(dataset, LABELS, 0.0)
    return ClipBatches(dataset, beliefs, CONFIG, means, augmentation=Augmentation(), clips=4, windows=3, seed=seed)


def test_a_batch_follows_from_seed_epoch_and_number(noisy_dataset: Dataset) -> None:
    """A run that is started again meets the same windows; every epoch meets others."""
    one, other, later = batches(noisy_dataset), batches(noisy_dataset), batches(noisy_dataset)
    later.on_epoch_end()
    assert np.array_equal(one[0][0]["windows"], other[0][0]["windows"])
    assert not np.array_equal(one[0][0]["windows"], later[0][0]["windows"])
    assert not np.array_equal(one[0][0]["windows"], one[1][0]["windows"])


def test_an_epoch_hears_about_ten_windows_of_every_clip(noisy_dataset: Dataset) -> None:
    """Six clips with ten windows each are five batches of twelve windows."""
    assert 5 == len(batches(noisy_dataset))


def test_windows_are_on_the_network_s_scale(noisy_dataset: Dataset) -> None:
    """However they are varied, cells stay between the floor and 0 dB, in the shape that the server sends."""
    inputs, targets = batches(noisy_dataset)[0]
    assert (4, 3, 128, 39) == inputs["windows"].shape
    assert np.float32 == inputs["windows"].dtype
    assert CONFIG.floor_db <= inputs["windows"].min()
    assert inputs["windows"].max() <= 0
    assert pytest.approx(np.ones(4)) == targets["clip"].sum(1)
    assert (4, 3, 2) == targets["window"].shape


def test_present_windows_come_first() -> None:
    """A clip has one window at least, absent windows stand behind the others, and half of the clips are whole."""
    mask = draw_mask(1000, 4, np.random.default_rng(0))
    assert mask[:, 0].all()
    assert (mask[:, 1:] <= mask[:, :-1]).all()
    assert 0.5 <= mask.all(1).mean() <= 0.75


def test_clips_are_validated_on_the_windows_that_are_served(noisy_dataset: Dataset) -> None:
    """Ten windows spread over the clip, each relative to its own loudest cell."""
    served = served_windows(noisy_dataset, CONFIG, 10)
    first = cut_windows(noisy_dataset.clips[0], CONFIG, 10).windows.values
    assert served["mask"].all()
    assert np.array_equal(first, served["windows"][0])
    assert 0 == first.max()


@pytest.mark.parametrize("genres", [[], ["rock"], ["rock", "rock"]])
def test_one_genre_is_not_enough(genres: list[str]) -> None:
    """A network that knows one genre tells nothing."""
    with pytest.raises(DataUnusable, match="two genres or more"):
        labels_of(genres)
