"""Tracks that a decoder decodes from the start to the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.decode import read_audio
from segue.core.audio.decoders.clip_file import open_clip_file
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode, encode

MP3 = encode(render_clip(3, 12.0), container="MP3")


def test_a_long_stream_that_is_decoded_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A track too long to be kept gives the same windows as one that is kept."""
    junk = bytes(1_000)  # so that libsndfile refuses it
    audio = junk + encode(render_clip(2, 70.0), container="MP3")
    kept = extract(audio, FeatureConfig(), 10)
    monkeypatch.setattr("segue.core.audio.decoders.stream_source.KEPT_SECONDS", 20)
    twice = extract(audio, FeatureConfig(), 10)
    assert kept.seconds == twice.seconds
    np.testing.assert_allclose(twice.windows.values, kept.windows.values, atol=0.2)


def test_all_of_a_long_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A track too long to be kept can also be read whole, and once more from its start."""
    audio = bytes(1_000) + MP3
    kept = decode(audio)
    monkeypatch.setattr("segue.core.audio.decoders.stream_source.KEPT_SECONDS", 5)
    starts = [0, 7 * 22_050, 22_050]
    parts = read_audio(audio, 22_050, lambda source: [source.read(start, source.samples) for start in starts])
    for start, part in zip(starts, parts, strict=True):
        np.testing.assert_allclose(part, kept[start : start + len(part)], atol=1e-3)


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    """It is an error of reading, since a lost page would kill the process."""
    path = tmp_path / "clip.mp3"
    path.write_bytes(MP3)
    with open_clip_file(path) as clip:
        clip.check_size()
        path.write_bytes(MP3[:1_000])
        with pytest.raises(OSError, match="became shorter"):
            clip.check_size()
