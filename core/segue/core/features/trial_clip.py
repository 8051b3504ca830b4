"""Makes a clip that shows whether this machine can decode and predict."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from segue.core.features.config import FeatureConfig


def trial_clip(config: FeatureConfig) -> bytes:
    """Returns the bytes of a WAV file of noise with one window; extracting it loads every module that clips need."""
    samples = int(1.1 * config.window_seconds * config.sample_rate)
    noise = np.random.default_rng(0).normal(0, 0.1, samples)
    file = io.BytesIO()
    soundfile.write(file, noise, config.sample_rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
