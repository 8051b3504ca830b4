"""Some hostile inputs; ``python -m tests.corpus.hostile`` analyzes 10,000."""

from __future__ import annotations

import shutil

import pytest

from tests.corpus.hostile import run
from tests.corpus.recipes import RECIPES

pytestmark = pytest.mark.skipif(
    any(shutil.which(program) is None for program in ("ffmpeg", "sox", "strace")),
    reason="ffmpeg, SoX or strace is not on the PATH",
)


def test_hostile_inputs_open_nothing() -> None:
    """Each input ends in a result or a typed error; nothing else is opened, and nothing is left."""
    report = run(24, 1, RECIPES[::12])
    assert [] == report.problems
    assert 24 == sum(report.statuses.values())
    assert report.statuses["AUDIO_UNDECODABLE"] > 2
