"""Computes MusiCNN's tags of unlabelled music, by the network inside a trained model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from segue.core.batching import batched
from segue.core.errors import AudioError
from segue.core.features.extract import extract
from segue.core.features.windows import Windows
from segue.core.model.artifact import Manifest
from segue.core.model.trained_model import Model
from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.arrays import Floats
from segue.trainer.data.folder import Progress, describe_failure
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import MusicFile
from segue.trainer.labelling.tag_cache import TagCache

# Bounds the memory of the windows, 0.4 MB for each file.
_BATCH = 32
# About a minute of work is lost if the machine fails.
_SAVED_BATCHES = 16


def tag_recipe(manifest: Manifest) -> str:
    """Returns the identity of the tags that a model computes: they depend on its front end and on its windows."""
    return f"{manifest.features.fingerprint}-{manifest.windows}"


def tag_music(
    files: Sequence[MusicFile], model: Model, cache: TagCache, progress: Progress
) -> tuple[dict[MusicFile, Floats], dict[Path, str]]:
    """Computes the tags of files that are not in a cache, and adds them to it.

    The cache is saved from time to time and at the end, also if the run is interrupted.

    Args:
        files: the files.
        model: a network over tags.
        cache: tags that were computed before.
        progress: shows how many of the other files are done.

    Returns:
        The tags [windows, 50] of each file in the order of ``files``, and the reason why each of the others was left
        out, by its path.

    Raises:
        DataUnusable: no file can be used.
    """
    missing = [file for file in files if cache.find(file) is None]
    left_out: dict[Path, str] = {}
    try:
        for file, result in progress(_tagged(missing, model, cache), len(missing)):
            if isinstance(result, str):
                left_out[file.path] = result
            else:
                cache.store(file, result)
    finally:
        cache.save()
    tagged = {file: tags for file in files if (tags := cache.find(file)) is not None}
    if not tagged:
        path, reason = next(iter(left_out.items()))
        raise DataUnusable(f"No file can be used, such as {path}: {reason} Name another folder.")
    return tagged, left_out


def _tagged(files: Sequence[MusicFile], model: Model, cache: TagCache) -> Iterator[tuple[MusicFile, Floats | str]]:
    """Yields each file with its tags, or with the reason why it has none."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, batch in enumerate(batched(files, _BATCH), 1):
            clips = list(pool.map(lambda file: extract_windows(file.path, model.manifest), batch))
            tags = iter(_encode([clip for clip in clips if isinstance(clip, Windows)], model))
            for file, clip in zip(batch, clips, strict=True):
                yield file, clip if isinstance(clip, str) else next(tags)
            if number % _SAVED_BATCHES == 0:
                cache.save()


def extract_windows(path: Path, manifest: Manifest) -> Windows | str:
    """Returns the windows that a network takes of a file, or the reason why it has none."""
    try:
        return extract(path, manifest.features, manifest.windows).windows
    except (AudioError, OSError) as error:
        return describe_failure(error)


def _encode(clips: Sequence[Windows], model: Model) -> list[Floats]:
    if not clips:
        return []
    tags = model.encode(np.concatenate([clip.values for clip in clips]))[:, :TAGS]
    return np.split(tags, np.cumsum([len(clip.values) for clip in clips])[:-1])
