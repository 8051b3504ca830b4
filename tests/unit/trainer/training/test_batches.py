from __future__ import annotations

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset
from segue.trainer.training.batches import ClipBatches, draw_mask
from segue.trainer.training.distillation import soft_targets
from segue.trainer.training.plans import Augmentation

CONFIG = FeatureConfig()
LABELS = ("high", "low")


def batches(dataset: Dataset, seed: int = 0) -> ClipBatches:
    """Batches of four clips with three windows each."""
    means = np.full(128, -30, np.float32)
    targets = soft_targets(dataset, LABELS, 0.0)
    return ClipBatches(dataset, targets, CONFIG, means, augmentation=Augmentation(), clips=4, windows=3, seed=seed)


def test_a_batch_is_determined_by_seed_epoch_and_number(noisy_dataset: Dataset) -> None:
    """A run that is started again gets the same windows; every epoch gets others."""
    one, other, later = batches(noisy_dataset), batches(noisy_dataset), batches(noisy_dataset)
    later.on_epoch_end()
    assert np.array_equal(one[0][0]["windows"], other[0][0]["windows"])
    assert not np.array_equal(one[0][0]["windows"], later[0][0]["windows"])
    assert not np.array_equal(one[0][0]["windows"], one[1][0]["windows"])


def test_an_epoch_has_about_ten_windows_of_every_clip(noisy_dataset: Dataset) -> None:
    """Ten windows of each of six clips are five batches of twelve windows."""
    assert 5 == len(batches(noisy_dataset))


def test_windows_are_on_the_network_s_scale(noisy_dataset: Dataset) -> None:
    """Augmented cells stay between the floor and 0 dB, in the shape that the server sends."""
    inputs, targets = batches(noisy_dataset)[0]
    assert (4, 3, 128, 39) == inputs["windows"].shape
    assert np.float32 == inputs["windows"].dtype
    assert CONFIG.floor_db <= inputs["windows"].min()
    assert inputs["windows"].max() <= 0
    assert pytest.approx(np.ones(4)) == targets["clip"].sum(1)
    assert (4, 3, 2) == targets["window"].shape


def test_present_windows_come_first() -> None:
    """A clip has at least one window, absent windows come last, and half of the clips have all windows."""
    mask = draw_mask(1000, 4, np.random.default_rng(0))
    assert mask[:, 0].all()
    assert (mask[:, 1:] <= mask[:, :-1]).all()
    assert 0.5 <= mask.all(1).mean() <= 0.75
