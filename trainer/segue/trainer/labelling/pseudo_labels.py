"""Pseudo-labels (Lee 2013): unlabelled music for training, with the genres that a teacher predicts for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segue.core.batching import batched
from segue.core.errors import AudioError
from segue.core.features.config import FeatureConfig
from segue.core.features.windows import Windows
from segue.core.files import sha256_of
from segue.core.model.known_models import require_model
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.trainer.arrays import AnyFloats, Floats, Positions
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.folder import Progress, cached_decibels, describe_failure, seconds_of
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import MusicFile, list_music
from segue.trainer.labelling.tagging import extract_windows

# Bounds the memory of the teacher's windows, 0.4 MB for each file.
_BATCH = 32
_PATCHES = 10
"""Number of patches of a clip whose posteriors are kept, as many as segue-fast has windows of 30 s."""

Read = tuple[Floats, Windows]
"""The columns of a file, and the windows that the teacher gets of it."""


@dataclass(frozen=True)
class UnlabelledMusic:
    """A folder of unlabelled music that was listed, and the teacher that predicts its genres.

    Attributes:
        folder: the folder.
        files: its files, without copies of labelled ones.
        copies: number of files that are copies, byte by byte, of labelled files.
        unreachable: the reason why a folder or a file cannot be reached, by its path.
        teacher: the network that predicts the genres.
        teacher_folder: folder of its artifact.
    """

    folder: Path
    files: Sequence[MusicFile]
    copies: int
    unreachable: dict[str, str]
    teacher: Model
    teacher_folder: Path

    @classmethod
    def open(
        cls, folder: Path, teacher_folder: Path, genres: Collection[str], labelled: Iterable[Path]
    ) -> UnlabelledMusic:
        """Lists a folder and loads a teacher.

        Args:
            folder: the folder.
            teacher_folder: folder of the teacher's artifact.
            genres: genres of the labelled clips.
            labelled: files of all labelled clips, whatever their side.

        Raises:
            DataUnusable: the folder has no music that is not labelled, or the teacher has other genres.
            ArtifactError: the teacher cannot be loaded.
        """
        files, unreachable = list_music(folder)
        teacher = load_model(require_model(teacher_folder))
        _check_genres(teacher.manifest.labels, genres)
        others = without_copies(files, labelled)
        if not others:
            raise DataUnusable(f"All music in {folder} is labelled already. Name another folder with --unlabelled.")
        reasons = {str(path): reason for path, reason in unreachable.items()}
        return cls(folder, others, len(files) - len(others), reasons, teacher, teacher_folder)

    def columns(self, config: FeatureConfig) -> list[int]:
        """Returns the number of columns of each file, from the duration in its header."""
        return [config.column_count(round(seconds_of(file.path) * config.sample_rate)) for file in self.files]

    def read(self, config: FeatureConfig, progress: Progress, cache: FeatureCache | None = None) -> Dataset:
        """Reads the files whole, and predicts the genres of their windows.

        Args:
            config: the front end of the network to train.
            progress: shows how many are done.
            cache: columns that were computed before; new ones are stored in it.

        Returns:
            The clips by their names "unlabelled: <path>", with the reasons why others were left out. A posterior is in
            the order of the teacher's labels.
        """
        clips: list[Clip] = []
        dropped = dict(self.unreachable)
        for file, result in progress(self._read_all(config, cache), len(self.files)):
            track = f"unlabelled: {file.path.relative_to(self.folder).as_posix()}"
            if isinstance(result, str):
                dropped[track] = result
            else:
                decibels, posterior = result
                genre = self.teacher.manifest.labels[int(posterior.mean(0).argmax())]
                clips.append(Clip(track, genre, decibels, posterior=posterior))
        return Dataset(tuple(clips), dropped)

    def _read_all(
        self, config: FeatureConfig, cache: FeatureCache | None
    ) -> Iterator[tuple[MusicFile, tuple[Floats, Floats] | str]]:
        """Yields each file with its columns and the posteriors of its patches, or with the reason why it has none."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for batch in batched(self.files, _BATCH):
                results = list(pool.map(lambda file: self._read_file(file.path, config, cache), batch))
                yield from zip(batch, self._predict(results, config), strict=True)

    def _predict(self, results: Sequence[Read | str], config: FeatureConfig) -> Iterator[tuple[Floats, Floats] | str]:
        """Yields the columns of each file with the posteriors of its patches, or the reason why it has none."""
        predictions = iter(self.teacher.predict([result[1] for result in results if not isinstance(result, str)]))
        for result in results:
            if isinstance(result, str):
                yield result
            else:
                decibels, windows = result
                posterior = next(predictions).window_posterior
                yield decibels, self._spread(posterior, windows.starts, decibels.shape[1], config)

    def _read_file(self, path: Path, config: FeatureConfig, cache: FeatureCache | None) -> Read | str:
        try:
            decibels = cached_decibels(path, config, cache)
        except (AudioError, OSError) as error:
            return describe_failure(error)
        windows = extract_windows(path, self.teacher.manifest)
        return windows if isinstance(windows, str) else (decibels, windows)

    def _spread(self, posterior: Floats, starts: AnyFloats, columns: int, config: FeatureConfig) -> Floats:
        """Returns the posteriors [patches, genres] of the windows nearest to places that are evenly spread.

        Silent windows are left out, so that windows alone are not spread evenly.
        """
        seconds = config.grid.frame(columns) * config.hop / config.sample_rate
        last = max(0.0, seconds - self.teacher.manifest.features.window_seconds)
        spread: Floats = posterior[nearest_windows(starts, np.linspace(0, last, _PATCHES))]
        return spread


def nearest_windows(starts: AnyFloats, places: AnyFloats) -> Positions:
    """Returns the number of the window that starts nearest to each place [p], of windows at ``starts`` [w], in s."""
    nearest: Positions = np.abs(starts[None] - places[:, None]).argmin(1)
    return nearest


def add_pseudo_labelled(
    data: TrainValidSplit, unlabelled: Dataset, labels: Sequence[str], teacher: str
) -> TrainValidSplit:
    """Adds pseudo-labelled clips to those of a run, without copies of labelled clips and of each other.

    Args:
        data: the labelled clips, divided by track.
        unlabelled: the clips with the teacher's posteriors.
        labels: the teacher's genres, in the order of its posteriors.
        teacher: its model id.

    Raises:
        DataUnusable: the teacher's genres are not those of the labelled clips, or no clip is left.
    """
    _check_genres(labels, data.labels)
    copies = {copy for _, copy in Dataset(data.train.clips + data.validation.clips + unlabelled.clips).copies}
    order = [labels.index(label) for label in data.labels]
    new = tuple(
        replace(clip, posterior=clip.posterior[:, order])
        for clip in unlabelled.clips
        if clip.track not in copies and clip.posterior is not None
    )
    if not new:
        raise DataUnusable("No unlabelled clip can be used. Name another folder with --unlabelled, or leave it out.")
    return replace(data, pseudo_labelled=Dataset(new), teacher=teacher)


def _check_genres(labels: Sequence[str], genres: Collection[str]) -> None:
    if set(labels) != set(genres):
        raise DataUnusable(
            f"The teacher has the genres {', '.join(labels)}, and the labelled clips have "
            f"{', '.join(sorted(set(genres)))}. Name a teacher that was trained on these genres."
        )


def without_copies(files: Sequence[MusicFile], labelled: Iterable[Path]) -> list[MusicFile]:
    """Leaves out files that are copies of labelled ones, byte by byte.

    Each file is read at most once, and only if there is one of its size on the other side.

    Args:
        files: the files.
        labelled: the labelled files.
    """
    sizes = {file.size for file in files}
    alike = {path: size for path in labelled if (size := _size(path)) in sizes}
    alike_sizes, digests = set(alike.values()), set(map(_digest, alike)) - {None}
    return [file for file in files if file.size not in alike_sizes or _digest(file.path) not in digests]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _digest(path: Path) -> str | None:
    """Returns the SHA-256 of a file, or None where it cannot be read; the reason is reported when it is decoded."""
    try:
        return sha256_of(path)
    except OSError:
        return None
