"""The golden log-mel that the shipped network was trained with: server, indexer and trainer must compute the same.

``python tests/golden/test_log_mel.py`` replaces the file, which is right only together with a new network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.log_mel import relative_decibels
from segue.core.features.windows import spread_starts
from segue.core.testing.synthetic_clips import render_clip

GOLDEN = Path(__file__).with_name("log_mel.npz")
CONFIG = FeatureConfig()
KEPT = [0, 4, 9]


def golden() -> NDArray[np.float32]:
    """Returns windows 0, 4 and 9 of the clip, [3, 128, 39] in decibels."""
    with np.load(GOLDEN) as archive:
        windows: NDArray[np.float32] = archive["windows"].astype(np.float32)
    return windows


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered clip of 30 s."""
    return render(tmp_path_factory.mktemp("golden") / "clip.flac")


def render(path: Path) -> Path:
    """Writes the clip, and returns its path."""
    soundfile.write(path, render_clip(4, 30.0), 22_050, subtype="PCM_16")
    return path


def assert_golden(windows: NDArray[np.float32]) -> None:
    """Asserts that every cell equals the golden one up to 0.1 dB."""
    np.testing.assert_allclose(windows, golden(), atol=0.1)


def test_the_server(clip: Path) -> None:
    """The bytes of an upload give the golden windows."""
    assert_golden(extract(clip.read_bytes(), CONFIG, 10).windows.values[KEPT])


def test_the_indexer(clip: Path) -> None:
    """A file of a library gives the golden windows."""
    pipeline = pytest.importorskip("segue.indexer.pipeline.examine", reason="the indexer is not installed")
    assert_golden(pipeline.examine(clip, CONFIG, 10).windows.values[KEPT])


def test_the_trainer(clip: Path) -> None:
    """A clip of a training folder gives the golden windows."""
    folder = pytest.importorskip("segue.trainer.data.folder", reason="the trainer is not installed")
    decibels = folder.clip_decibels(clip, CONFIG)
    starts = spread_starts(decibels.shape[1], CONFIG.columns, 10)[KEPT]
    windows = np.stack([decibels[:, start : start + CONFIG.columns] for start in starts])
    assert_golden(relative_decibels(windows, CONFIG.floor_db))


if __name__ == "__main__":
    scratch = render(Path("/tmp/golden.flac"))
    np.savez_compressed(GOLDEN, windows=extract(scratch, CONFIG, 10).windows.values[KEPT].astype(np.float16))
