"""Fingerprints of tracks, and their text in the catalogue."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.fingerprint import Fingerprint, fingerprint
from segue.core.features.windows import Windows
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode

CONFIG = FeatureConfig()


def known() -> Fingerprint:
    """The fingerprint of a rendered clip."""
    found = fingerprint(extract(encode(render_clip(1, 30.0), 22_050), CONFIG, 10).windows, CONFIG)
    assert found is not None
    return found


def test_the_text_of_a_fingerprint() -> None:
    """The text has all of it: every second window of ten, in less than a kilobyte."""
    expected = known()
    text = expected.to_text()
    actual = Fingerprint.from_text(text)
    assert actual is not None
    assert (5, True) == (len(expected.words), len(text) < 1_000)
    np.testing.assert_array_equal(expected.words, actual.words)
    assert pytest.approx((expected.step, expected.seconds)) == (actual.step, actual.seconds)


@pytest.mark.parametrize("raw", [b"", b"\x01\x05", b"\x02", b"\x01" + bytes(11), b"\x01\x01\x01\x00" + bytes(12)])
def test_a_text_that_is_none(raw: bytes) -> None:
    """Damaged texts, and those of other versions, have no fingerprint; neither has one without a step."""
    assert Fingerprint.from_text(base64.b64encode(raw).decode()) is None
    assert Fingerprint.from_text(known().to_text()[:-4]) is None
    assert Fingerprint.from_text("é" * 40) is None


@pytest.mark.parametrize("values", [np.zeros((3, 128, 39)), np.ones((2, 128, 39)), np.zeros((2, 20, 39))])
def test_a_sound_that_does_not_change(values: np.ndarray) -> None:
    """It has no fingerprint, which would be that of any other such sound; neither have few bands."""
    windows = Windows(values.astype(np.float32), np.arange(len(values), dtype=np.float64))
    assert fingerprint(windows, CONFIG) is None
