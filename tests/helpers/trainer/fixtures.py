"""Fixtures of the tests that train networks, and of the trainer's unit tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from segue.trainer.data.dataset import Dataset
from tests.helpers.trainer.training_data import make_noise_dataset, write_noise_archive


@pytest.fixture
def write_archive(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes an archive of six noisy clips; see ``write_noise_archive``."""
    return partial(write_noise_archive, tmp_path / "archive.npz")


@pytest.fixture(scope="session")
def noisy_dataset() -> Dataset:
    """Six clips of noise in two genres that differ in their high bands."""
    return make_noise_dataset()
