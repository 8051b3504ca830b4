from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from segue.core.model.artifact import Manifest, read_manifest
from segue.trainer.accurate.head import HeadPlan
from segue.trainer.accurate.model_card import write_card

MODEL = Path(__file__).parents[4] / "models" / "segue-accurate"
PRECISION = {
    "precision_at_10_other_artists": 0.7,
    "precision_at_10_other_artists_low": 0.6,
    "precision_at_10_other_artists_high": 0.8,
    "precision_at_10_of_mean_tags": 0.65,
}


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The manifest of the model that ships."""
    return read_manifest(MODEL)


def test_the_shipped_card_has_what_a_training_writes(manifest: Manifest) -> None:
    """Its sentences change with those of the trainer; it also has a figure on music of other genres."""
    lines = write_card(manifest, manifest.metrics, 443, asdict(HeadPlan())).splitlines()
    shipped = (MODEL / "model-card.md").read_text().splitlines()
    (added,) = [line for line in shipped if line not in lines]
    assert [line for line in shipped if line != added] == lines
    assert "0.793 [0.690, 0.892]" in added


def test_the_card_describes_the_baseline_that_was_measured(manifest: Manifest) -> None:
    """The cosine of the mean tags is the baseline of recommendations, which tags alone do not measure."""
    for figures, names_it in ((manifest.metrics, False), (manifest.metrics | PRECISION, True)):
        card = write_card(manifest, figures, 443, asdict(HeadPlan()))
        assert names_it == ("the cosine of the mean tags" in card) == ("genre precision at 10" in card)


def test_the_card_is_true_of_other_music(manifest: Manifest) -> None:
    """The settings were chosen on GTZAN's tracks, whatever the head was trained on."""
    card = write_card(manifest, manifest.metrics, 12, asdict(HeadPlan()))
    assert "chosen in such folds of GTZAN's tracks" in card
    assert "a track of unknown artist counts as one" in card
