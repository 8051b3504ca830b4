"""A manifest as the first version writes it, kept as a file: later versions must read it, and mean the same by it."""

from __future__ import annotations

from pathlib import Path

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import Manifest

GOLDEN = Path(__file__).with_name("manifest.json")


def test_the_golden_manifest_is_read_and_written() -> None:
    """It keeps its fingerprint, and is written again byte by byte."""
    text = GOLDEN.read_text(encoding="utf-8")
    manifest = Manifest.from_json(text, GOLDEN)
    assert FeatureConfig() == manifest.features
    assert "023e0d792e451720" == manifest.features.fingerprint
    assert ("golden-01234567", ("blues", "jazz"), 10) == (manifest.model_id, manifest.labels, manifest.windows)
    assert text == manifest.to_json()
