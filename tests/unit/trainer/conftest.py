"""Fixtures of the trainer's unit tests."""

from __future__ import annotations

from tests.helpers.trainer.fixtures import noisy_dataset, write_archive

__all__ = ["noisy_dataset", "write_archive"]
