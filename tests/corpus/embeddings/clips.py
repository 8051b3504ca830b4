"""The clips of the trial, and their renditions."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile

from segue.core.audio.samples import Samples
from segue.trainer.splits.split import artist_groups, gtzan_artists
from tests.corpus.copies import Copy
from tests.corpus.recipes import Recipe
from tests.corpus.rendering import write_rendition

ORIGINAL = "original"
_COPIES = {"-20 dB": Copy(-20), "2 s of silence before": Copy(before=2)}
_CUT_SECONDS = 2
_CUT = f"without its first {_CUT_SECONDS} s"
_RECIPES = {
    "MP3, 128 kbit/s": Recipe("mp3", "-b:a 128k", kbits=128),
    "MP3, 64 kbit/s": Recipe("mp3", "-b:a 64k", 22_050, 1, kbits=64),
    "Opus, 96 kbit/s": Recipe("opus", "-c:a libopus -b:a 96k", 48_000, kbits=96),
    "16 kHz": Recipe("wav", "-c:a pcm_s16le", 16_000, 1),
}
RENDITIONS = (ORIGINAL, *_COPIES, _CUT, *_RECIPES)
"""Names of the renditions of a clip; the first is the clip itself."""

GTZAN, FMA = "GTZAN", "Free Music Archive"


class Clip(NamedTuple):
    """A clip.

    Attributes:
        path: its file.
        genre: its genre as tagged, in small letters and without spaces and signs; empty if it is unknown.
        group: what stays together in folds: the artist or, of unknown artists, the clip itself. GTZAN's are named as in
            ``artist_groups``.
        collection: ``GTZAN`` or ``FMA``.
    """

    path: Path
    genre: str
    group: str
    collection: str


def gtzan_clips(folder: Path) -> list[Clip]:
    """Returns the clips of a folder of GTZAN's, whose subfolders are genres."""
    groups = artist_groups(gtzan_artists())
    paths = sorted(folder.rglob("*.flac"))
    return [Clip(path, path.parent.name, groups.get(path.stem, path.stem), GTZAN) for path in paths]


def fma_clips(folder: Path) -> list[Clip]:
    """Returns the clips of a folder with a MANIFEST.tsv, whose columns are file, genre, artist and more."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return [Clip(folder / name, _letters(genre), _artist(artist), FMA) for name, genre, artist, *_ in rows]


def render(clip: Path) -> Iterator[Path | bytes]:
    """Yields the renditions of a clip in the order of ``RENDITIONS``; files last until the next one."""
    yield clip
    samples, rate = _read_mono(clip)
    yield from (copy.write(samples, rate) for copy in _COPIES.values())
    yield Copy().write(samples[_CUT_SECONDS * rate :], rate)
    with tempfile.TemporaryDirectory() as scratch:
        for number, recipe in enumerate(_RECIPES.values()):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            yield write_rendition(recipe, clip, folder, folder)


def _read_mono(clip: Path) -> tuple[Samples, int]:
    samples, rate = soundfile.read(clip, dtype="float32", always_2d=True)
    return samples.mean(1), rate


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _artist(name: str) -> str:
    """Returns the words of a name in alphabetical order: the list has both "Ed Askew" and "Askew Ed"."""
    return " ".join(sorted(name.lower().split()))
