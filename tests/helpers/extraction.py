"""Windows of clips for tests, and what is expected of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.audio.quality import Flag
from segue.core.features.clips import ExtractedClip
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract

_EXPLAINING_FLAGS = {Flag.TRUNCATED, Flag.DAMAGED}


def extract_any(audio: bytes | Path) -> ExtractedClip:
    """Extracts up to ten windows."""
    return extract(audio, FeatureConfig(), 10)


def check(audio: bytes | Path, seconds: float, *flags: Flag, tolerance: float = 0.1) -> None:
    """Checks the duration of a clip, its windows over the whole of it, and its flags for damage."""
    clip = extract_any(audio)
    assert pytest.approx(seconds, abs=tolerance) == clip.seconds
    assert max(1, round(clip.seconds / 3.02)) == len(clip.windows.values)
    assert set(flags) == _EXPLAINING_FLAGS & set(clip.quality.flags)
