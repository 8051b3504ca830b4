"""Unlabelled music for training, with the genres that a teacher predicts for it (Hinton et al. 2015)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from segue.core.batching import batched
from segue.core.errors import AudioError
from segue.core.features.config import FeatureConfig
from segue.core.features.windows import Windows
from segue.core.model.saved_model import Model
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.folder import Progress, cached_decibels
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import MusicFile
from segue.trainer.labelling.tagging import extract_windows

# Bounds the memory of the teacher's windows, 0.4 MB for each file.
_BATCH = 32

Read = tuple[Floats, Windows]
"""The columns of a file, and the windows that the teacher takes of it."""


def read_taught_clips(
    files: Sequence[MusicFile],
    folder: Path,
    teacher: Model,
    config: FeatureConfig,
    progress: Progress,
    cache: FeatureCache | None = None,
) -> Dataset:
    """Reads unlabelled files whole, and predicts the genre of each window by a teacher.

    Args:
        files: files in the folder.
        folder: the folder, below which their names begin.
        teacher: the network that predicts them.
        config: the front end of the network to train.
        progress: shows how many are done.
        cache: columns that were computed before; new ones are stored in it.

    Returns:
        The clips by their names "unlabelled: <path>", with the reasons why others were left out. A posterior is in the
        order of the teacher's labels.
    """
    clips: list[Clip] = []
    dropped: dict[str, str] = {}
    for file, result in progress(_read_all(files, teacher, config, cache), len(files)):
        track = f"unlabelled: {file.path.relative_to(folder).as_posix()}"
        if isinstance(result, str):
            dropped[track] = result
        else:
            decibels, posterior = result
            genre = teacher.manifest.labels[int(posterior.mean(0).argmax())]
            clips.append(Clip(track, genre, decibels, posterior=posterior))
    return Dataset(tuple(clips), dropped)


def add_taught_clips(data: TrainValidSplit, taught: Dataset, labels: tuple[str, ...]) -> TrainValidSplit:
    """Adds taught clips to those of a run, without copies of labelled clips and of each other.

    Args:
        data: the labelled clips, divided by track.
        taught: the taught clips.
        labels: the teacher's genres, in the order of its posteriors.

    Raises:
        DataUnusable: the teacher's genres are not those of the labelled clips, or no clip is left.
    """
    if set(labels) != set(data.labels):
        raise DataUnusable(
            f"The teacher has the genres {', '.join(labels)}, and the labelled clips have {', '.join(data.labels)}. "
            "Name a teacher that was trained on these genres."
        )
    copies = {copy for _, copy in Dataset(data.train.clips + data.validation.clips + taught.clips).copies}
    order = [labels.index(label) for label in data.labels]
    new = tuple(
        replace(clip, posterior=clip.posterior[:, order])
        for clip in taught.clips
        if clip.track not in copies and clip.posterior is not None
    )
    if not new:
        raise DataUnusable("No unlabelled clip can be used. Name another folder with --unlabelled, or leave it out.")
    return replace(data, taught=Dataset(new, taught.dropped))


def _read_all(
    files: Sequence[MusicFile], teacher: Model, config: FeatureConfig, cache: FeatureCache | None
) -> Iterator[tuple[MusicFile, tuple[Floats, Floats] | str]]:
    """Yields each file with its columns and the posterior of its windows, or with the reason why it has none."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in batched(files, _BATCH):
            results = list(pool.map(lambda file: _read(file.path, teacher, config, cache), batch))
            predictions = iter(teacher.predict([result[1] for result in results if not isinstance(result, str)]))
            for file, result in zip(batch, results, strict=True):
                yield file, result if isinstance(result, str) else (result[0], next(predictions).window_posterior)


def _read(path: Path, teacher: Model, config: FeatureConfig, cache: FeatureCache | None) -> Read | str:
    try:
        decibels = cached_decibels(path, config, cache)
    except AudioError as error:
        return str(error)
    except OSError as error:
        return f"It cannot be read: {error.strerror or error}."
    windows = extract_windows(path, teacher.manifest)
    return windows if isinstance(windows, str) else (decibels, windows)
