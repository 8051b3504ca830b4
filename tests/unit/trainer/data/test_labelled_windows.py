from __future__ import annotations

import numpy as np

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.labelled_windows import cut_windows, served_windows

CONFIG = FeatureConfig()


def test_served_windows_are_spread_over_the_clip(noisy_dataset: Dataset) -> None:
    """Each clip of 30 s has ten windows, each relative to its own loudest cell."""
    served = served_windows(noisy_dataset, CONFIG)
    first = cut_windows(noisy_dataset.clips[0], CONFIG, 10).windows.values
    assert served["mask"].all()
    assert np.array_equal(first, served["windows"][0])
    assert 0 == first.max()
