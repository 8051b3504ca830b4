"""Fixtures of the tests of ``segue-indexer watch``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.indexer import write_library

CLIPS = 12
OLD_SECONDS = 1_600_000_000


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of short clips, whose names are 0000.flac and so on."""
    folder = write_library(tmp_path / "music", CLIPS, seconds=4.0)
    for clip in folder.iterdir():
        os.utime(clip, (OLD_SECONDS, OLD_SECONDS))  # no file that changed a moment ago
    return folder


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """Clips that are not in the folder of music, with an audio of their own."""
    return write_library(tmp_path / "more", CLIPS, seconds=5.0)
