"""One door to both kinds of input, and to the side of a split that is wanted of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.folder import Progress, extract_folder, list_folder, read_folder, seconds_of
from segue.trainer.data.labelled_windows import LabelledWindows, cut_windows
from segue.trainer.data.log_mel_archive import read_archive
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import TEST, TRAIN, UNUSED, VALID, Split

# What a network may be judged on, the sternest first.
_JUDGED = (TEST, VALID, TRAIN)


def read_input(
    path: Path,
    config: FeatureConfig,
    wanted: Callable[[str], bool],
    progress: Progress,
    cache: FeatureCache | None = None,
) -> Dataset:
    """The wanted clips of a folder or an archive, to learn from; ``cache`` is for a folder.

    Raises:
        DataUnusable: there is no such input, or nothing in it can be used.
        RecipeMismatch: the archive was made by another recipe.
    """
    if path.is_dir():
        return read_folder([file for file in list_folder(path) if wanted(file.track)], config, progress, cache)
    _check_exists(path)
    return read_archive(path, config).where(wanted)


def list_input(path: Path, config: FeatureConfig) -> dict[str, str]:
    """The genre of each track of an input.

    Raises:
        DataUnusable: there is no such input, or nothing in it can be used.
        RecipeMismatch: the archive was made by another recipe.
    """
    if path.is_dir():
        return {file.track: file.genre for file in list_folder(path)}
    _check_exists(path)
    return read_archive(path, config).genres


def columns_of(path: Path, config: FeatureConfig, wanted: Callable[[str], bool]) -> list[int]:
    """How many columns each wanted clip of an input has, by the headers of its files.

    Raises:
        DataUnusable: there is no such input, or nothing in it can be used.
        RecipeMismatch: the archive was made by another recipe.
    """
    if path.is_dir():
        seconds = [seconds_of(file) for file in list_folder(path) if wanted(file.track)]
        return [config.column_count(round(length * config.sample_rate)) for length in seconds]
    return [clip.decibels.shape[1] for clip in read_archive(path, config).where(wanted).clips]


def extract_input(
    path: Path, config: FeatureConfig, most: int, wanted: Callable[[str], bool], progress: Progress
) -> tuple[list[LabelledWindows], dict[str, str]]:
    """The wanted tracks as the server would hear them, and why others were not heard.

    Args:
        path: a folder of audio or an archive.
        config: the front end of the network.
        most: the most windows of a track.
        wanted: whether a track is asked for.
        progress: shows how far it is.

    Raises:
        DataUnusable: there is no such input, or nothing in it can be used.
        RecipeMismatch: the archive was made by another recipe.
    """
    if path.is_dir():
        return extract_folder([file for file in list_folder(path) if wanted(file.track)], config, most, progress)
    clips = read_input(path, config, wanted, progress).clips
    return list(progress((cut_windows(clip, config, most) for clip in clips), len(clips))), {}


def choose_side(split: Split, side: str | None, tracks: Collection[str]) -> str:
    """The side of a split to judge an input by.

    Without a wish it is the test side where the input has any of it, else the validation side, else the training side.

    Raises:
        SplitMismatch: the input has no track of the side that was wished for, or of any.
    """
    present = {split.side(track) for track in tracks} - {UNUSED}
    if not present:
        raise SplitMismatch(
            f"The split {split.name!r} has none of the input's {len(tracks)} tracks on a side, such as "
            f"{min(tracks, default='none')}. Name the split of this input, or leave out --split to judge all of it."
        )
    if side is not None and side not in present:
        there = ", ".join(sorted(present))
        raise SplitMismatch(f"The input has no track on the side {side!r} of {split.name!r}; sides there: {there}.")
    return side or next(judged for judged in _JUDGED if judged in present)


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise DataUnusable(f"There is no {path}. Name a folder of clips or a log-mel archive.")
