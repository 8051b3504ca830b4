"""A golden manifest of the first version, which every later version must read with the same meaning."""

from __future__ import annotations

from pathlib import Path

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import Manifest

GOLDEN = Path(__file__).with_name("manifest.json")


def test_the_golden_manifest_is_read_and_written() -> None:
    """The golden manifest keeps its fingerprint, and is written again byte for byte."""
    text = GOLDEN.read_text(encoding="utf-8")
    manifest = Manifest.from_json(text, GOLDEN)
    assert FeatureConfig() == manifest.features
    assert "023e0d792e451720" == manifest.features.fingerprint
    assert ("golden-01234567", ("blues", "jazz"), 10) == (manifest.model_id, manifest.labels, manifest.windows)
    assert text == manifest.to_json()
