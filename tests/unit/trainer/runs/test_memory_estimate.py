from __future__ import annotations

import pytest

from segue.core.features.config import FeatureConfig
from segue.trainer.errors import TooLarge
from segue.trainer.runs.memory_estimate import available_bytes, check_memory, estimate_bytes

CONFIG = FeatureConfig()


def test_a_run_that_does_not_fit_is_refused() -> None:
    """The message has the memory that is needed and the memory that is available."""
    assert estimate_bytes([387] * 1000, CONFIG) < 4 * 2**30 < estimate_bytes([387] * 10_000, CONFIG)
    with pytest.raises(TooLarge, match=r"10,000 clips.* 2\.0 GiB are available"):
        check_memory([387] * 10_000, CONFIG, available=2 * 2**30)
    check_memory([387] * 443, CONFIG, available=None)


def test_long_and_short_tracks_need_their_own_memory() -> None:
    """All columns and ten windows of an hour are held, and two windows of 6 s."""
    held = CONFIG.n_mels * 4
    assert held * (46_000 - 387) == estimate_bytes([46_000], CONFIG) - estimate_bytes([387], CONFIG)
    assert held * (387 - 78 + 4 * 8 * 39) == estimate_bytes([387], CONFIG) - estimate_bytes([78], CONFIG)


def test_the_system_reports_free_memory() -> None:
    """It is more than this test needs, where the system reports it at all."""
    available = available_bytes()
    assert available is None or available > 2**20
