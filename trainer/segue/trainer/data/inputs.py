"""Labelled tracks of a folder of audio or of a log-mel archive, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.folder import AudioFile, Progress, extract_folder, list_folder, read_folder, seconds_of
from segue.trainer.data.labelled_windows import LabelledWindows, cut_windows
from segue.trainer.data.log_mel_archive import read_archive
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import TEST, TRAIN, UNUSED, VALID, Split

# The sides that a network is evaluated on, those that it has seen least of first.
_PREFERRED_SIDES = (TEST, VALID, TRAIN)

Selects = Callable[[str], bool]
"""Returns True for the name of a track that is selected."""


def select_all(track: str) -> bool:
    """Selects every track."""
    return True


class LabelledInput(Protocol):
    """Labelled tracks that were listed once, and are decoded at most once for each use."""

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""

    @property
    def paths(self) -> list[Path]:
        """The files of all clips; none for an archive."""

    def columns(self, selects: Selects) -> list[int]:
        """Returns the number of columns of each selected clip; for audio, from the duration in its header."""

    def read(self, selects: Selects, progress: Progress, cache: FeatureCache | None = None) -> Dataset:
        """Reads the selected clips whole, for training.

        Args:
            selects: selects tracks.
            progress: shows how many are done.
            cache: features of audio that were computed before; None to compute all.
        """

    def extract(
        self, max_windows: int, selects: Selects, progress: Progress
    ) -> tuple[list[LabelledWindows], dict[str, str]]:
        """Extracts windows as the server does.

        Args:
            max_windows: largest number of windows of a track.
            selects: selects tracks.
            progress: shows how many are done.

        Returns:
            The tracks, and the reason why each of the others was dropped, by its name.
        """


def open_input(path: Path, config: FeatureConfig) -> LabelledInput:
    """Lists a folder of audio, or reads a log-mel archive.

    Args:
        path: the folder or the archive.
        config: the front end of the network.

    Raises:
        DataUnusable: there is no such input, or nothing in it can be used.
        RecipeMismatch: the archive was made by another recipe.
    """
    if path.is_dir():
        return FolderInput(tuple(list_folder(path)), config)
    if not path.exists():
        raise DataUnusable(f"{path} does not exist. Name a folder of clips or a log-mel archive.")
    return ArchiveInput(read_archive(path, config), config)


@dataclass(frozen=True)
class FolderInput:
    """A folder of audio in GTZAN's layout."""

    files: tuple[AudioFile, ...]
    config: FeatureConfig

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""
        return {file.track: file.genre for file in self.files}

    @property
    def paths(self) -> list[Path]:
        """The files of all clips."""
        return [file.path for file in self.files]

    def columns(self, selects: Selects) -> list[int]:
        """Returns the number of columns of each selected clip, by the duration in its header."""
        rate = self.config.sample_rate
        return [self.config.column_count(round(seconds_of(file.path) * rate)) for file in self._select(selects)]

    def read(self, selects: Selects, progress: Progress, cache: FeatureCache | None = None) -> Dataset:
        """Decodes the selected clips whole, for training."""
        return read_folder(self._select(selects), self.config, progress, cache)

    def extract(
        self, max_windows: int, selects: Selects, progress: Progress
    ) -> tuple[list[LabelledWindows], dict[str, str]]:
        """Extracts windows as the server does; also returns the reason for each dropped track."""
        return extract_folder(self._select(selects), self.config, max_windows, progress)

    def _select(self, selects: Selects) -> list[AudioFile]:
        return [file for file in self.files if selects(file.track)]


@dataclass(frozen=True)
class ArchiveInput:
    """A log-mel archive that was read whole."""

    dataset: Dataset
    config: FeatureConfig

    @property
    def genres(self) -> dict[str, str]:
        """The genre of each track."""
        return self.dataset.genres

    @property
    def paths(self) -> list[Path]:
        """No files: an archive has no audio."""
        return []

    def columns(self, selects: Selects) -> list[int]:
        """Returns the number of columns of each selected clip."""
        return [clip.decibels.shape[1] for clip in self.dataset.select(selects).clips]

    def read(self, selects: Selects, progress: Progress, cache: FeatureCache | None = None) -> Dataset:
        """Returns the selected clips."""
        return self.dataset.select(selects)

    def extract(
        self, max_windows: int, selects: Selects, progress: Progress
    ) -> tuple[list[LabelledWindows], dict[str, str]]:
        """Cuts windows from the columns; nothing is dropped."""
        clips = self.dataset.select(selects).clips
        return list(progress((cut_windows(clip, self.config, max_windows) for clip in clips), len(clips))), {}


def choose_side(split: Split, side: str | None, tracks: Collection[str]) -> str:
    """Chooses the side of a split that an input is evaluated on.

    Args:
        split: the split.
        side: the requested side, or None for the first of test, validation and training side that the input has.
        tracks: the names of the input's tracks.

    Raises:
        SplitMismatch: the input has no track on the requested side, or on any side.
    """
    present = {split.side(track) for track in tracks} - {UNUSED}
    if not present:
        raise SplitMismatch(
            f"No track of the input, such as {min(tracks, default='none')}, is on a side of the split {split.name!r}. "
            "Name the split of this input, or leave out --split to evaluate all of it."
        )
    if side is not None and side not in present:
        sides = ", ".join(sorted(present))
        raise SplitMismatch(
            f"The input has no track on the side {side!r} of {split.name!r}; its sides are: {sides}. Name one of them."
        )
    return side or next(preferred for preferred in _PREFERRED_SIDES if preferred in present)
