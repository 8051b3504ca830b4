"""Analyzes clips and their renditions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segue.core.audio.quality import Flag
from segue.core.errors import AudioError
from segue.core.features.extract import extract
from segue.core.model.trained_model import Model
from segue.indexer.pipeline.tags import read_tags
from tests.corpus.recipes import Recipe
from tests.corpus.rendering import TITLE, write_cover, write_rendition

_MAX_LATE_SECONDS = 0.2
# LOW_RATE is also set between the least rate of the corpus and that of the model.
_EXACT_FLAGS = {Flag.LOW_BITRATE, Flag.LOW_BIT_DEPTH}


@dataclass(frozen=True)
class Analysis:
    """The analysis of a file.

    Attributes:
        genre: its most probable genre.
        margin: its probability minus that of the second genre.
        seconds: its length.
        flags: its quality flags.
    """

    genre: str
    margin: float
    seconds: float
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class Outcome:
    """The analysis of a rendition, next to that of the clip.

    Attributes:
        recipe: the way in which the rendition was written.
        clip: name of the clip.
        expected: the analysis of the clip.
        actual: the analysis of the rendition, or the error with which it was refused.
        has_title: False if the rendition lost its title.
    """

    recipe: Recipe
    clip: str
    expected: Analysis
    actual: Analysis | AudioError
    has_title: bool

    @property
    def is_same_genre(self) -> bool:
        """True if the rendition has the genre of the clip."""
        return isinstance(self.actual, Analysis) and self.actual.genre == self.expected.genre

    @property
    def late(self) -> float:
        """Length of the rendition minus that of the clip, in seconds; 0 if it was refused."""
        return self.actual.seconds - self.expected.seconds if isinstance(self.actual, Analysis) else 0.0

    def problem(self) -> str:
        """Returns what is wrong apart from the genre, or "" if nothing is."""
        if isinstance(self.actual, AudioError):
            return f"{self.actual.reason}: {self.actual}"
        if abs(self.late) > _MAX_LATE_SECONDS:
            return f"{self.late:+.3f} s"
        if not self.has_title:
            return "the title is lost"
        if missing := self.recipe.flags - set(self.actual.flags):
            return f"{', '.join(sorted(missing))} is missing"
        if spare := set(self.actual.flags) & _EXACT_FLAGS - self.recipe.flags:
            return f"{', '.join(sorted(spare))} is wrong"
        return "DAMAGED" if Flag.DAMAGED in self.actual.flags and not self.recipe.extra.endswith("cut") else ""

    def __str__(self) -> str:
        """Returns a line for the report."""
        if isinstance(self.actual, AudioError):
            return f"{self.clip}, {self.recipe.name}"
        flags = f" [{', '.join(self.actual.flags)}]" if self.actual.flags else ""
        return f"{self.clip}, {self.recipe.name}: {_genre(self.expected)} -> {_genre(self.actual)}{flags}"


def _genre(analysis: Analysis) -> str:
    return f"{analysis.genre} (+{analysis.margin:.3f})"


def analyze(audio: Path | bytes, model: Model) -> Analysis:
    """Returns the analysis of a file.

    Raises:
        AudioError: it is refused.
    """
    clip = extract(audio, model.manifest.features, model.manifest.windows)
    (prediction,) = model.predict([clip.windows])
    second, first = np.argsort(prediction.posterior)[-2:]
    margin = float(prediction.posterior[first] - prediction.posterior[second])
    return Analysis(model.manifest.labels[first], margin, clip.seconds, clip.quality.flags)


def analyze_renditions(
    clip: Path, recipes: Sequence[Recipe], cover: Path, model: Model, *, as_bytes: bool
) -> Iterator[Outcome]:
    """Writes renditions of a clip, and yields the outcome of each.

    Args:
        clip: the clip.
        recipes: the ways to write the renditions.
        cover: picture for those that have one.
        model: predicts the genres.
        as_bytes: True to analyze the bytes, False to analyze the file.
    """
    expected = analyze(clip, model)
    for recipe, path in _renditions(clip, recipes, cover):
        has_title = recipe.extra not in {"tags", "cover"} or read_tags(path).title == TITLE
        actual = _analyze_or_error(path.read_bytes() if as_bytes else path, model)
        yield Outcome(recipe, clip.name, expected, actual, has_title)


def refusals_without_ffmpeg(clip: Path, recipes: Sequence[Recipe], model: Model) -> Iterator[str]:
    """Yields a line for each rendition of a clip that is refused where ffmpeg is not on the PATH."""
    with tempfile.TemporaryDirectory() as scratch:
        cover = write_cover(Path(scratch) / "cover.png")
        for recipe, path in _renditions(clip, recipes, cover):
            with _search_programs_in(scratch):
                actual = _analyze_or_error(path.read_bytes(), model)
            if isinstance(actual, AudioError):
                yield f"{recipe.name}: {actual.reason}: {actual}"


def _analyze_or_error(audio: Path | bytes, model: Model) -> Analysis | AudioError:
    try:
        return analyze(audio, model)
    except AudioError as error:
        return error


@contextmanager
def _search_programs_in(folder: str) -> Iterator[None]:
    before = os.environ["PATH"]
    os.environ["PATH"] = folder
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _renditions(clip: Path, recipes: Sequence[Recipe], cover: Path) -> Iterator[tuple[Recipe, Path]]:
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as scratch:
            yield recipe, write_rendition(recipe, clip, cover, Path(scratch))
