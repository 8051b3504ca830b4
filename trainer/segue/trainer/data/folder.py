"""Folders of audio in GTZAN's layout: ``<genre>/<clip>.<any audio ending>``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import soundfile

from segue.core.audio.decode import open_audio
from segue.core.errors import AudioError, AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.log_mel import log_scale, mel_power
from segue.core.features.windows import SILENCE_RMS
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.labelled_windows import LabelledWindows
from segue.trainer.errors import DataUnusable

T = TypeVar("T")

# The paper's rule for what it trains on.
MIN_SECONDS = 28.0
_USUAL_SECONDS = 30.0
# Lower than any 32-bit float decibel that a real window holds; windows are floored on their own, later.
_NO_FLOOR_DB = -200.0


class Progress(Protocol):
    """Passes results on while it shows how many of ``total`` there are."""

    def __call__(self, results: Iterable[T], total: int) -> Iterable[T]:
        """The results as they come."""
        ...


@dataclass(frozen=True)
class AudioFile:
    """One file of the folder, not yet opened."""

    path: Path
    track: str
    genre: str


def list_folder(folder: Path) -> list[AudioFile]:
    """The files of a folder in GTZAN's layout, in the order of their tracks.

    A genre's folders are walked to any depth, but for hidden ones and links to folders. A file named after its genre,
    as ``blues/blues.00000.au``, is the track ``blues.00000``; any other keeps its folders and ending, since two folders
    may hold files of the same name.

    Raises:
        DataUnusable: it has no genres, a genre is empty, or two files are the same track.
    """
    genres = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not genres:
        raise DataUnusable(f"{folder} has no folders of clips. Lay it out as {folder}/<genre>/<clip>.")
    found = {genre: _audio_in(genre) for genre in genres}
    empty = [genre.name for genre, paths in found.items() if not paths]
    if empty:
        raise DataUnusable(f"{folder}: no clips in {', '.join(empty)}. Put clips there, or remove the folder.")
    files = [AudioFile(path, _track(path, genre), genre.name) for genre, paths in found.items() for path in paths]
    _check_unique_tracks(files)
    return sorted(files, key=lambda file: file.track)


def seconds_of(file: AudioFile) -> float:
    """How long a file plays by its header; that of a usual clip where libsndfile does not read it."""
    try:
        return float(soundfile.info(file.path).duration)
    except (soundfile.LibsndfileError, OSError):
        return _USUAL_SECONDS


def read_folder(
    files: list[AudioFile], config: FeatureConfig, progress: Progress, cache: FeatureCache | None = None
) -> Dataset:
    """Decodes files whole, to learn from.

    Files that do not decode, are silent or play less than ``MIN_SECONDS`` are dropped, and named in the answer.

    Args:
        files: what ``list_folder`` found.
        config: the front end.
        progress: shows how far it is.
        cache: where features are looked for first, and kept.
    """
    results = list(progress(_in_threads(lambda file: _read_clip(file, config, cache), files), len(files)))
    dropped = {file.track: str(clip) for file, clip in zip(files, results, strict=True) if isinstance(clip, AudioError)}
    return Dataset(tuple(clip for clip in results if isinstance(clip, Clip)), dropped)


def extract_folder(
    files: list[AudioFile], config: FeatureConfig, most: int, progress: Progress
) -> tuple[list[LabelledWindows], dict[str, str]]:
    """Hears files as the server would: by ``segue.core.features.extract``, a few windows of each.

    Returns:
        What was heard, and why a track was not, by its name.
    """
    results = list(progress(_in_threads(lambda file: _extract_file(file, config, most), files), len(files)))
    dropped = {
        file.track: str(heard) for file, heard in zip(files, results, strict=True) if isinstance(heard, AudioError)
    }
    return [heard for heard in results if isinstance(heard, LabelledWindows)], dropped


def clip_decibels(path: Path, config: FeatureConfig) -> Floats:
    """All columns of a file [bands, columns], in decibels relative to its loudest cell.

    Raises:
        AudioError: it does not decode, is silent, or plays less than ``MIN_SECONDS``.
    """
    with open_audio(path, config.sample_rate) as source:
        if source.seconds < MIN_SECONDS:
            raise AudioTooShort(f"It lasts {source.seconds:.1f} s; clips under {MIN_SECONDS:g} s are not learnt from.")
        samples = source.read(0, source.samples)
    if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
        raise AudioSilent("Nothing can be heard in it.")
    frames = config.grid.frames(0, config.column_count(len(samples)))
    # In pieces: a frame holds 2,048 numbers where the clip has 512.
    power = [mel_power(samples, part, config) for part in np.array_split(frames, 1 + len(frames) // 500)]
    return log_scale(np.concatenate(power, axis=1), replace(config, floor_db=_NO_FLOOR_DB))


def _read_clip(file: AudioFile, config: FeatureConfig, cache: FeatureCache | None) -> Clip | AudioError:
    try:
        decibels = cache.find(file.path) if cache else None
        if decibels is None:
            decibels = clip_decibels(file.path, config)
            if cache:
                cache.keep(file.path, decibels)
        return Clip(file.track, file.genre, decibels)
    except AudioError as error:
        return error


def _extract_file(file: AudioFile, config: FeatureConfig, most: int) -> LabelledWindows | AudioError:
    try:
        return LabelledWindows(file.track, file.genre, extract(file.path, config, most).windows)
    except AudioError as error:
        return error


def _in_threads(work: Callable[[AudioFile], T], files: list[AudioFile]) -> Iterator[T]:
    # Decoding, resampling and the transform all let go of the interpreter, so threads are enough.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, files)


def _audio_in(genre: Path) -> list[Path]:
    paths = []
    for folder, below, names in os.walk(genre):
        below[:] = [name for name in below if not name.startswith(".")]
        paths += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(path for path in paths if path.is_file())


def _track(path: Path, genre: Path) -> str:
    inside = f"{genre.name}/{path.relative_to(genre).as_posix()}"
    return path.stem if path.name.startswith(f"{genre.name}.") else inside


def _check_unique_tracks(files: list[AudioFile]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        if file.track in seen:
            raise DataUnusable(f"{seen[file.track]} and {file.path} are both the track {file.track}. Remove one.")
        seen[file.track] = file.path
