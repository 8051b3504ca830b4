"""The sounds that callers send."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.errors import EmbeddingUnusable
from segue.core.features.extract import extract
from segue.core.features.trial_clip import trial_clip
from segue.core.model.artifact import read_manifest
from segue.core.model.trained_model import Prediction
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.writing.jobs import Content
from segue.server.writing.sounds import sound_of_clip


def test_an_embedding_that_cannot_be_used(tiny_model: Path) -> None:
    """It fails alone, before it comes into a turn with the writes of other callers."""
    manifest = read_manifest(tiny_model)
    audio = trial_clip(manifest.features)
    nothing = np.full(128, np.nan, np.float32)
    prediction = Prediction(np.ones(1, np.float32), nothing, np.ones((1, 1), np.float32))
    clip = AnalyzedClip(extract(audio, manifest.features, 1), prediction, "0" * 32)
    with pytest.raises(EmbeddingUnusable, match="'a' has not the length 1"):
        sound_of_clip("a", Content.of(audio), clip, manifest)
