"""Reads folders of audio in GTZAN's layout: ``<genre>/<clip>.<any audio ending>``."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import soundfile

from segue.core.audio.decode import read_audio
from segue.core.audio.samples import Samples
from segue.core.audio.sources import AudioSource
from segue.core.batching import batched
from segue.core.errors import AudioError, AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.level import SILENCE_RMS
from segue.core.features.log_mel import log_scale, mel_power
from segue.core.features.sounding_part import sounding_part
from segue.core.system_names import is_resource_fork, is_system_folder
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.labelled_windows import LabelledWindows
from segue.trainer.errors import DataUnusable

T = TypeVar("T")

# The number in the name of one of GTZAN's tracks.
_NUMBER = re.compile("[0-9]{5}")
# The paper trains on clips of at least this duration.
MIN_SECONDS = 28.0
_USUAL_SECONDS = 30.0
# Bounds the memory of the windows, up to 0.8 MB for each file.
_BATCH = 32
# Below every 32-bit float decibel of a real window; each window gets its own floor later.
_NO_FLOOR_DB = -200.0


class Progress(Protocol):
    """Passes results on while it shows how many of ``total`` there are."""

    def __call__(self, results: Iterable[T], total: int) -> Iterable[T]:
        """Yields the results as they come."""
        ...


@dataclass(frozen=True)
class AudioFile:
    """A file of the folder, not yet opened.

    Attributes:
        path: path of the file.
        track: name of the track.
        genre: the track's genre.
    """

    path: Path
    track: str
    genre: str


def list_folder(folder: Path) -> list[AudioFile]:
    """Lists the files of a folder in GTZAN's layout, in the order of their tracks.

    The folders of a genre are walked to any depth, without system folders and links to folders; those of albums may
    begin with dots, but those of genres do not. A link without a target is listed, too, so that it is named as a file
    that cannot be read. A file that is named as GTZAN's are, ``blues/blues.00000.au``, is the
    track ``blues.00000``. Any other file keeps its folders and its ending in its name, since two folders may hold files
    of the same name, and a song may begin with the name of its genre.

    Raises:
        DataUnusable: it has no genres, a genre is empty, or two files are the same track.
    """
    genres = sorted(path for path in folder.iterdir() if path.is_dir() and _is_genre(path.name))
    if not genres:
        raise DataUnusable(f"{folder} has no folders of clips. Lay it out as {folder}/<genre>/<clip>.")
    paths_by_genre = {genre: _clips_under(genre) for genre in genres}
    empty = [genre.name for genre, paths in paths_by_genre.items() if not paths]
    if empty:
        raise DataUnusable(f"{folder}: no clips in {', '.join(empty)}. Put clips there, or remove the folder.")
    files = [
        AudioFile(path, _track_name(path, genre), genre.name)
        for genre, paths in paths_by_genre.items()
        for path in paths
    ]
    _check_unique_tracks(files)
    return sorted(files, key=lambda file: file.track)


def seconds_of(path: Path) -> float:
    """Returns the duration of a file by its header, or that of a usual clip where libsndfile cannot read it."""
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, OSError):
        return _USUAL_SECONDS


def read_folder(
    files: list[AudioFile], config: FeatureConfig, progress: Progress, cache: FeatureCache | None = None
) -> Dataset:
    """Decodes files whole, for training.

    Files that cannot be read or decoded, are silent, or are shorter than ``MIN_SECONDS`` or than a window are dropped,
    with their reasons.

    Args:
        files: files that ``list_folder`` listed.
        config: the front end.
        progress: shows how many are done.
        cache: features that were computed before; new ones are stored in it.
    """
    results = list(progress(_in_threads(lambda file: _read_clip(file, config, cache), files), len(files)))
    return Dataset(tuple(clip for clip in results if isinstance(clip, Clip)), _reasons(files, results))


def extract_folder(
    files: list[AudioFile], config: FeatureConfig, max_windows: int, progress: Progress
) -> tuple[list[LabelledWindows], dict[str, str]]:
    """Extracts windows from files as the server does, by ``segue.core.features.extract``.

    Args:
        files: files that ``list_folder`` listed.
        config: the front end.
        max_windows: largest number of windows of a track.
        progress: shows how many are done.

    Returns:
        The tracks, and the reason why each of the others was dropped, by its name.
    """
    results = [result for _, result in progress(extract_each(files, config, max_windows), len(files))]
    return [track for track in results if isinstance(track, LabelledWindows)], _reasons(files, results)


def extract_each(
    files: list[AudioFile], config: FeatureConfig, max_windows: int
) -> Iterator[tuple[AudioFile, LabelledWindows | str]]:
    """Yields each file with its windows, or with the reason why it has none; see ``extract_folder``.

    The windows of few files are in memory at a time.
    """
    for batch in batched(files, _BATCH):
        yield from zip(batch, _in_threads(lambda file: _extract_file(file, config, max_windows), batch), strict=True)


def describe_failure(error: AudioError | OSError) -> str:
    """Returns the reason why a file is left out, as a sentence."""
    return f"It cannot be read: {error.strerror or error}." if isinstance(error, OSError) else str(error)


def clip_decibels(path: Path, config: FeatureConfig) -> Floats:
    """Computes all columns of a file [bands, columns], in decibels relative to its loudest cell.

    Raises:
        AudioError: it does not decode, is silent, or is shorter than ``MIN_SECONDS`` or than a window.
    """
    samples = read_audio(path, config.sample_rate, lambda source: _read_whole(source, config))
    if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
        raise AudioSilent("It is silent.")
    frames = config.grid.frames(0, _count_columns(samples, config))
    # In parts, since a frame holds 2,048 numbers and advances by 512 samples.
    power = [mel_power(samples, part, config) for part in np.array_split(frames, 1 + len(frames) // 500)]
    return log_scale(np.concatenate(power, axis=1), replace(config, floor_db=_NO_FLOOR_DB))


def cached_decibels(path: Path, config: FeatureConfig, cache: FeatureCache | None) -> Floats:
    """Returns what ``clip_decibels`` returns, from a cache where it is there; stores it if it is not.

    Raises:
        AudioError: the file does not decode, is silent, or is too short.
    """
    found = cache.find(path) if cache else None
    if found is not None:
        return found
    decibels = clip_decibels(path, config)
    if cache:
        cache.store(path, decibels)
    return decibels


def _count_columns(samples: Samples, config: FeatureConfig) -> int:
    columns = config.column_count(len(samples))
    if columns < config.columns:
        seconds = len(samples) / config.sample_rate
        raise AudioTooShort(f"It lasts {seconds:.2f} s, less than one window of {config.window_seconds:g} s.")
    return columns


def _read_whole(source: AudioSource, config: FeatureConfig) -> Samples:
    if source.seconds < MIN_SECONDS:
        raise AudioTooShort(f"It lasts {source.seconds:.1f} s; training needs clips of {MIN_SECONDS:g} s or more.")
    part = sounding_part(source, config)
    return part.read(0, part.samples)


def _read_clip(file: AudioFile, config: FeatureConfig, cache: FeatureCache | None) -> Clip | str:
    try:
        return Clip(file.track, file.genre, cached_decibels(file.path, config, cache))
    except (AudioError, OSError) as error:
        return describe_failure(error)


def _extract_file(file: AudioFile, config: FeatureConfig, max_windows: int) -> LabelledWindows | str:
    try:
        return LabelledWindows(file.track, file.genre, extract(file.path, config, max_windows).windows)
    except (AudioError, OSError) as error:
        return describe_failure(error)


def _reasons(files: list[AudioFile], results: Iterable[object]) -> dict[str, str]:
    """Returns the reason why a file was dropped, by its track."""
    pairs = zip(files, results, strict=True)
    return {file.track: result for file, result in pairs if isinstance(result, str)}


def _in_threads(work: Callable[[AudioFile], T], files: list[AudioFile]) -> Iterator[T]:
    # Decoding, resampling and the transform all release the interpreter's lock, so threads are enough.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, files)


def _is_genre(name: str) -> bool:
    return not name.startswith(".") and not is_system_folder(name)


def _clips_under(genre: Path) -> list[Path]:
    """Returns the files under a genre's folder, with what cannot be reached, whose reading then gives the reason."""
    paths: list[Path] = []

    def note(error: OSError) -> None:
        paths.append(Path(error.filename))

    for folder, subfolders, names in os.walk(genre, onerror=note):
        subfolders[:] = [name for name in subfolders if not is_system_folder(name)]
        paths += filter(_is_regular, (Path(folder, name) for name in names if _is_clip(name)))
    return sorted(paths)


def _is_regular(path: Path) -> bool:
    """Returns False for a named pipe and the like; True for a file, and for a link without a target."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _is_clip(name: str) -> bool:
    """Returns True unless the name is that of a resource fork, or one such as .DS_Store, without an ending."""
    return not is_resource_fork(name) and not (name.startswith(".") and not Path(name).suffix)


def _track_name(path: Path, genre: Path) -> str:
    relative = f"{genre.name}/{path.relative_to(genre).as_posix()}"
    beginning, _, number = path.stem.rpartition(".")
    return path.stem if beginning == genre.name and _NUMBER.fullmatch(number) else relative


def _check_unique_tracks(files: list[AudioFile]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        if file.track in seen:
            raise DataUnusable(f"{seen[file.track]} and {file.path} are both the track {file.track}. Remove one.")
        seen[file.track] = file.path
