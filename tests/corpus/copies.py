"""Analyzes copies of real clips: ``python -m tests.corpus.copies FOLDER [--clips N] [--model NAME]``.

Each copy is the clip at another level, or with silence before and after it. Exits with 1 if fewer than 99 % of the
copies have the genre of their clip, or if the cosine between the embeddings is below 0.995.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import soundfile

from segue.core.audio.samples import Samples
from segue.core.features.extract import extract
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model, Prediction
from segue.core.paths import default_model, shipped_models
from tests.corpus.renditions import choose_clips

LEAST_SHARE = 0.99
LEAST_COSINE = 0.995


@dataclass(frozen=True)
class Copy:
    """A way to copy a clip.

    Attributes:
        gain_db: gain in decibels; the copy is not clipped.
        before: seconds of silence before the clip.
        after: seconds of silence after it.
    """

    gain_db: float = 0.0
    before: float = 0.0
    after: float = 0.0

    def write(self, samples: Samples, rate: int) -> bytes:
        """Returns the bytes of the copy, as WAV with samples of 32-bit floats."""
        silence = [np.zeros(int(seconds * rate), np.float32) for seconds in (self.before, self.after)]
        copied = np.concatenate([silence[0], samples * np.float32(10 ** (self.gain_db / 20)), silence[1]])
        file = io.BytesIO()
        soundfile.write(file, copied, rate, format="WAV", subtype="FLOAT")
        return file.getvalue()

    def __str__(self) -> str:
        return f"{self.gain_db:+.0f} dB, {self.before:.1f} s before, {self.after:.1f} s after"


COPIES = (
    *(Copy(gain_db) for gain_db in (-30, -20, -12, -6, 6)),
    *(Copy(0, *silence) for silence in ((0.4, 0), (1.2, 0), (3, 0), (0, 1.5), (0, 3), (1.7, 2.3), (3, 3))),
    Copy(-20, 1.2, 2.0),
)


@dataclass(frozen=True)
class Outcome:
    """The analysis of a copy, next to that of its clip.

    Attributes:
        copy: the way in which the clip was copied.
        clip: name of the clip.
        is_same_genre: True if both have the same most probable genre.
        cosine: cosine between both embeddings.
    """

    copy: Copy
    clip: str
    is_same_genre: bool
    cosine: float


def compare(clip: Path, model: Model, copies: tuple[Copy, ...] = COPIES) -> Iterator[Outcome]:
    """Yields the outcome of each copy of a clip."""
    samples, rate = soundfile.read(clip, dtype="float32")
    expected, *predictions = _predict([copy.write(samples, rate) for copy in (Copy(), *copies)], model)
    for copy, actual in zip(copies, predictions, strict=True):
        is_same_genre = bool(actual.posterior.argmax() == expected.posterior.argmax())
        yield Outcome(copy, clip.name, is_same_genre, float(actual.embedding @ expected.embedding))


def genre_share(outcomes: list[Outcome]) -> float:
    """Returns the share of the copies with the genre of their clip."""
    return sum(outcome.is_same_genre for outcome in outcomes) / len(outcomes)


def report(outcomes: list[Outcome]) -> Iterator[str]:
    """Yields a line for each way to copy, and one for all."""
    for copy in dict.fromkeys(outcome.copy for outcome in outcomes):
        yield f"{copy}: {_figures([outcome for outcome in outcomes if outcome.copy == copy])}"
    yield f"all copies: {_figures(outcomes)}"


def _figures(outcomes: list[Outcome]) -> str:
    worst = min(outcomes, key=lambda outcome: outcome.cosine)
    return f"same genre {100 * genre_share(outcomes):.1f} %, least cosine {worst.cosine:.4f} ({worst.clip})"


def _predict(copies: list[bytes], model: Model) -> list[Prediction]:
    config, windows = model.manifest.features, model.manifest.windows
    return model.predict([extract(copy, config, windows).windows for copy in copies])


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--clips", "count", type=click.IntRange(min=1), default=40, show_default=True, help="Number of clips.")
@click.option("--model", "name", metavar="NAME", help="A model that ships with Segue.  [default: the default one]")
def main(folder: Path, count: int, name: str | None) -> None:
    """Prints the report, and exits with 1 if it is bad."""
    model = load_model(shipped_models() / name if name else default_model())
    clips = choose_clips(folder, count)
    if not clips:
        raise click.ClickException(f"{folder} has no clips. Name a folder of WAV, FLAC, AIFF or MP3 files.")
    outcomes = [outcome for clip in clips for outcome in compare(clip, model)]
    click.echo("\n".join(report(outcomes)))
    sys.exit(genre_share(outcomes) < LEAST_SHARE or min(outcome.cosine for outcome in outcomes) < LEAST_COSINE)


if __name__ == "__main__":
    main()
