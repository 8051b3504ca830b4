"""Some copies of a few clips; ``python -m tests.corpus.copies`` compares 40 clips with all of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.model.load_model import load_model
from segue.core.paths import resolve_model
from tests.corpus.copies import LEAST_COSINE, Copy, compare

LEVELS = (Copy(-30), Copy(6))
SILENCE = (Copy(before=1.2), Copy(after=3), Copy(-20, 3, 1.5))


@pytest.mark.parametrize("name", ["segue-accurate", "segue-fast"])
def test_a_copy_sounds_like_its_clip(name: str, clips: list[Path]) -> None:
    """Neither the level of a recording nor silence around it changes the genre or the embedding."""
    model = load_model(resolve_model(name))
    for outcome in (outcome for clip in clips[:6:2] for outcome in compare(clip, model, LEVELS + SILENCE)):
        assert outcome.is_same_genre, outcome
        assert outcome.cosine > LEAST_COSINE, outcome
