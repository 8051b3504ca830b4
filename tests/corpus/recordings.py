"""Recognizes copies of real recordings: ``python -m tests.corpus.recordings FOLDER... [--clips N] [--model NAME]``.

Copies some clips of the first folder in ways that keep the recording, and in ways that make another one, all with
ffmpeg. Then compares each kind of copy with all clips of all folders, as the indexer does. Exits with 1 if fewer than
95 % of the copies are recognized, or if two different recordings count as one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import soundfile

from segue.core.features.extract import extract
from segue.core.features.fingerprint import Fingerprint, fingerprint
from segue.core.index.copies import find_copies
from segue.core.index.vector_index import HnswIndex, Vectors
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.paths import default_model, shipped_models
from tests.corpus.renditions import choose_clips
from tests.helpers.audio import run_ffmpeg

LEAST_SHARE = 0.95
_BATCH = 16


@dataclass(frozen=True)
class Way:
    """A way to make a file of a clip.

    Attributes:
        options: options of ffmpeg; "RATE" is the clip's sample rate, "UP" is a semitone above it.
        suffix: ending of the file.
        is_copy: True if the recording stays the same.
    """

    options: str
    suffix: str = "wav"
    is_copy: bool = True


WAYS = (
    Way("-b:a 128k", "mp3"),
    Way("-c:a libopus -b:a 96k", "opus"),
    Way("-ar 44100 -ac 2"),
    Way("-af volume=-6dB"),
    Way("-ss 0.5"),
    Way("-t 29.5"),
    Way("-af adelay=1200:all=1"),
    Way("-t 15", is_copy=False),
    Way("-ss 15", is_copy=False),
    Way("-af volume=0:enable='between(t,1.5,28.5)'", is_copy=False),
    Way("-af atempo=1.05", is_copy=False),
    Way("-af atempo=0.95", is_copy=False),
    Way("-af asetrate=UP,aresample=RATE,atempo=0.943874", is_copy=False),
)


@dataclass(frozen=True)
class Analyzed:
    """A file as the indexer sees it."""

    embedding: Vectors
    fingerprint: Fingerprint | None


def write(clip: Path, way: Way, folder: Path) -> Path:
    """Writes a file of a clip to an empty folder."""
    rate = soundfile.info(clip).samplerate
    options = way.options.replace("RATE", str(rate)).replace("UP", str(round(rate * 2 ** (1 / 12))))
    path = folder / f"{clip.stem}.{way.suffix}"
    run_ffmpeg("-i", clip, *options.split(), path)
    return path


def analyze(paths: list[Path], model: Model) -> dict[str, Analyzed]:
    """Returns what the indexer stores of files, by path."""
    config, windows = model.manifest.features, model.manifest.windows
    found: dict[str, Analyzed] = {}
    for start in range(0, len(paths), _BATCH):
        page = paths[start : start + _BATCH]
        clips = [extract(path, config, windows).windows for path in page]
        for path, clip, prediction in zip(page, clips, model.predict(clips), strict=True):
            found[str(path)] = Analyzed(prediction.embedding, fingerprint(clip, config))
    return found


def groups(files: Mapping[str, Analyzed]) -> dict[str, str]:
    """Returns the group of each file that has copies."""
    vectors = np.stack([file.embedding for file in files.values()])
    index = HnswIndex.build(list(files), vectors)
    return find_copies(index, vectors, lambda page: [files[path].fingerprint for path in page])


@dataclass(frozen=True)
class Outcome:
    """The copies of clips that were made in one way.

    Attributes:
        way: the way.
        made: number of copies.
        recognized: number of copies that are in the group of their clip.
        wrong: pairs of names of different recordings that are in one group.
    """

    way: Way
    made: int
    recognized: int
    wrong: list[tuple[str, str]]

    @property
    def is_good(self) -> bool:
        """True if enough copies are recognized, and nothing else."""
        wanted = self.recognized >= LEAST_SHARE * self.made if self.way.is_copy else not self.recognized
        return wanted and not self.wrong

    def __str__(self) -> str:
        kind = "copies" if self.way.is_copy else "other recordings"
        wrong = "".join(f"\n  {first} counts as {second}" for first, second in self.wrong)
        return f"{self.way.options} ({kind}): {self.recognized} of {self.made} count as copies of their clip{wrong}"


def compare(clips: list[Path], way: Way, known: Mapping[str, Analyzed], model: Model) -> Outcome:
    """Makes a copy of each clip, and compares the copies with the known files."""
    with tempfile.TemporaryDirectory() as scratch:
        made = {str(write(clip, way, Path(scratch))): str(clip) for clip in clips}
        found = groups({**known, **analyze(list(map(Path, made)), model)})
    recognized = sum(path in found and found[path] == found.get(clip) for path, clip in made.items())
    return Outcome(way, len(made), recognized, list(_wrong(found, made)))


def _wrong(found: Mapping[str, str], made: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields each file that is in the group of another recording."""
    for path, group in found.items():
        own, other = made.get(path, path), made.get(group, group)
        if own != other:
            yield Path(own).name, Path(other).name


@click.command(help=__doc__)
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--clips", "count", type=click.IntRange(min=1), default=40, show_default=True, help="Number of clips.")
@click.option("--model", "name", metavar="NAME", help="A model that ships with Segue.  [default: the default one]")
def main(folders: tuple[Path, ...], count: int, name: str | None) -> None:
    """Prints the report, and exits with 1 if it is bad."""
    model = load_model(shipped_models() / name if name else default_model())
    everything = [path for folder in folders for path in choose_clips(folder, sys.maxsize)]
    clips = choose_clips(folders[0], count)
    if not clips:
        raise click.ClickException(f"{folders[0]} has no clips. Name a folder of WAV, FLAC, AIFF or MP3 files.")
    known = analyze(everything, model)
    alike = list(_wrong(groups(known), {}))
    click.echo(f"{len(known)} clips as they are: {len(alike)} count as another one {alike or ''}")
    outcomes = []
    for way in WAYS:
        outcomes.append(compare(clips, way, known, model))
        click.echo(outcomes[-1])
    sys.exit(bool(alike) or not all(outcome.is_good for outcome in outcomes))


if __name__ == "__main__":
    main()
