"""Reads log-mel archives: an npz whose ``recipe`` states how its features were computed.

The fields are ``X`` uint8 [n, bands, columns], ``scale_db`` and ``offset_db`` (decibels = X * scale + offset),
``genre`` [n], ``recipe`` (JSON), and optionally ``track`` [n], the names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.features.config import GTZAN_GRID, FeatureConfig
from segue.core.quantities import quantity
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.npz import Fields, read_npz
from segue.trainer.errors import DataUnusable, RecipeMismatch

_REQUIRED = ("X", "scale_db", "offset_db", "genre", "recipe")
_COLUMNS = "frame ((2*j+1)*n_frames-1)//775 of the hop-512 log-mel, j=0..386"
_DECIBELS = "relative to the clip maximum over all frames, floor -80"
_LOWEST_FLOOR_DB = -80.0


def recipe_of(config: FeatureConfig) -> dict[str, Any]:
    """Returns the recipe of an archive whose features are those of a front end."""
    return {
        "sample_rate": config.sample_rate,
        "n_fft": config.n_fft,
        "hop_length": config.hop,
        "window": "hann",
        "center": True,
        "n_mels": config.n_mels,
        "fmin": config.fmin,
        "fmax": config.fmax,
        "mel": "slaney",
        "power": 2.0,
        "decibels": _DECIBELS,
        "columns": _COLUMNS,
    }


def read_archive(path: Path, config: FeatureConfig) -> Dataset:
    """Reads a log-mel archive.

    Args:
        path: the npz.
        config: the front end of the network; the recipe of the archive must match it.

    Raises:
        DataUnusable: it is not an archive, lacks a field, or its fields do not match each other.
        RecipeMismatch: it was made by another recipe.
    """
    fields = _read_fields(path)
    check_recipe(_parse_recipe(path, fields["recipe"]), config, path)
    count = fields["genre"].size
    fields.setdefault("track", np.array([f"{number:05}" for number in range(count)]))
    for problem in _problems(fields, count, config):
        raise DataUnusable(f"{path}: {problem}. Make the archive again.")
    decibels = fields["X"] * np.float32(fields["scale_db"]) + np.float32(fields["offset_db"])
    clips = (
        Clip(str(track), str(genre), clip)
        for track, genre, clip in zip(fields["track"], fields["genre"], decibels, strict=True)
    )
    return Dataset(tuple(sorted(clips, key=lambda clip: clip.track)))


def check_recipe(recipe: dict[str, Any], config: FeatureConfig, path: Path) -> None:
    """Checks that the features of an archive are those of a front end.

    Raises:
        RecipeMismatch: a setting differs; the message names each.
    """
    if config.scale != "decibel" or config.grid != GTZAN_GRID or config.floor_db < _LOWEST_FLOOR_DB:
        raise RecipeMismatch(
            f"{path} holds decibels down to {_LOWEST_FLOOR_DB:g} on GTZAN's columns, which are not the features "
            "of this network. Give it a folder of audio instead."
        )
    expected = recipe_of(config)
    differing = [
        f"{name} is {recipe.get(name, 'missing')!r}, not {expected[name]!r}"
        for name in expected
        if recipe.get(name) != expected[name]
    ]
    if differing:
        raise RecipeMismatch(
            f"{path} was made by another recipe: {'; '.join(differing)}. Make the archive again by the network's "
            "recipe, or give it the folder of audio instead."
        )


def _problems(fields: Mapping[str, NDArray[Any]], count: int, config: FeatureConfig) -> Iterator[str]:
    """Yields why the fields are not those of an archive of ``count`` clips."""
    for name in ("scale_db", "offset_db"):
        value = fields[name]
        if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
            yield f"{name} is not one finite number"
    for name in ("genre", "track"):
        if fields[name].shape != (count,) or fields[name].dtype.kind != "U" or not fields[name].astype(bool).all():
            yield f"{name} is not a list of {quantity(count, 'name')}, one for each clip"
    names, times = np.unique(fields["track"], return_counts=True)
    if (times > 1).any():
        yield f"it names the track {names[times > 1][0]} more than once"
    codes = fields["X"]
    if codes.dtype.kind not in "iuf":
        yield f"X holds {codes.dtype}, not numbers"
    elif not np.isfinite(codes).all():
        yield "X holds numbers that are not finite"
    if codes.ndim != 3 or len(codes) != count or codes.shape[1] != config.n_mels or codes.shape[2] < config.columns:
        yield f"X has the shape {codes.shape}, not [{count}, {config.n_mels}, {config.columns} or more]"


def _read_fields(path: Path) -> Fields:
    try:
        fields = read_npz(path)
    except (OSError, ValueError) as error:
        raise DataUnusable(
            f"{path} is not a log-mel archive (npz), or it is damaged. Name a folder of clips or an archive."
        ) from error
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise DataUnusable(f"{path} is not a log-mel archive: it lacks {', '.join(missing)}.")
    return fields


def _parse_recipe(path: Path, text: NDArray[Any]) -> dict[str, Any]:
    try:
        recipe = json.loads(str(text))
    except ValueError as error:
        raise DataUnusable(f"{path}: its recipe is not JSON: {error}. Make the archive again.") from error
    if not isinstance(recipe, dict):
        raise DataUnusable(f"{path}: its recipe is not a JSON object. Make the archive again.")
    return recipe
