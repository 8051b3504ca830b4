from __future__ import annotations

import subprocess
import sys

import librosa
import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.core.features.mel_filters import mel_filters


@pytest.mark.parametrize(
    "config",
    [
        FeatureConfig(),
        FeatureConfig(sample_rate=16_000, n_fft=512, n_mels=96, fmax=8_000.0),
        FeatureConfig(sample_rate=48_000, n_fft=1_023, n_mels=8, fmin=30.0, fmax=900.0),
        FeatureConfig(sample_rate=44_100, n_fft=4_096, n_mels=64, fmin=2_000.0, fmax=20_000.0),
    ],
    ids=["paper", "musicnn", "linear", "logarithmic"],
)
def test_filters_equal_librosa(config: FeatureConfig) -> None:
    """Every weight has the bits of librosa's: the networks were trained with them."""
    expected = librosa.filters.mel(
        sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.fmin, fmax=config.fmax
    )
    np.testing.assert_array_equal(mel_filters(config), expected)


def test_server_and_indexer_do_not_need_numba() -> None:
    """A process that extracts windows loads no compiler, which would need a folder for its results."""
    script = (
        "import sys; sys.modules['numba'] = sys.modules['librosa'] = None; "
        "from segue.core.features.extract import extract; from segue.core.features.config import FeatureConfig; "
        "from segue.core.testing.synthetic_clips import render_clip; import io, soundfile; file = io.BytesIO(); "
        "soundfile.write(file, render_clip(0, 4.0, 22_050), 22_050, format='WAV'); "
        "print(extract(file.getvalue(), FeatureConfig(), 5).windows.values.shape)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "128, 39)" in ended.stdout, ended.stderr
