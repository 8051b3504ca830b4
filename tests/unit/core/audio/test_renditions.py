"""A few renditions of a rendered clip; ``python -m tests.corpus.renditions`` has all of them, of real clips."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile

from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.paths import resolve_model
from segue.core.testing.synthetic_clips import render_clip
from tests.corpus.outcomes import refusals_without_ffmpeg
from tests.corpus.recipes import RECIPES, Recipe
from tests.corpus.renditions import failures, measure

pytestmark = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("sox") is None, reason="ffmpeg or SoX is not on the PATH"
)
_SUFFIXES = ("wav", "flac", "mp3", "m4a", "mka", "opus", "sox", "ts")
_SOME = tuple(next(recipe for recipe in RECIPES[::-1] if recipe.suffix == suffix) for suffix in _SUFFIXES)


@pytest.fixture(scope="module")
def model() -> Model:
    """The smaller model."""
    return load_model(resolve_model("segue-fast"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered clip."""
    path = tmp_path_factory.mktemp("clips") / "clip.wav"
    soundfile.write(path, render_clip(4, 8.0, 44_100), 44_100)
    return path


def test_renditions_have_the_length_of_the_clip(clip: Path, model: Model) -> None:
    """Renditions in the common containers are analyzed, with their length, their title and their flags."""
    assert [] == failures(measure([clip], model, _SOME))


def test_a_failure_is_reported(clip: Path, model: Model) -> None:
    """A rendition that is refused is in the report: here, samples without a header."""
    raw = Recipe("raw", "-f s16le")
    (line,) = failures(measure([clip], model, (raw,)))
    assert "AUDIO_UNDECODABLE" in line


def test_what_is_refused_without_ffmpeg(clip: Path, model: Model) -> None:
    """Without ffmpeg, the formats that need it are refused with a sentence that names it, and the others are not."""
    refused = list(refusals_without_ffmpeg(clip, _SOME, model))
    assert {"m4a", "mka", "sox", "ts"} == {line.split()[0] for line in refused}
    assert all("ffmpeg is not on the PATH" in line for line in refused)
