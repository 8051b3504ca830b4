"""Reads and writes files of tags, which one network gives the windows of tracks and another one is trained on.

Each is an npz of ``tags`` float [windows, tags] in [0, 1], ``track`` [windows], the name of each window's track, and
perhaps ``layer`` float [windows, d], the network's layer before the tags. The windows of a track are in the order of
time and spread evenly over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segue.trainer.arrays import Floats
from segue.trainer.data.npz import Fields, read_npz, write_npz
from segue.trainer.errors import DataUnusable
from segue.trainer.splits.split import check_names

_VALUES = ("tags", "layer")

REMEDY = "Make the file with segue-trainer tag, and name it with --tags."


class WindowTags(NamedTuple):
    """The tags [windows, tags] of a track, each in [0, 1], and the layer before them [windows, d] where it is known."""

    tags: Floats
    layer: Floats | None = None


def read_tag_file(path: Path) -> dict[str, WindowTags]:
    """Reads the tags of each track, in the order of the tracks' names.

    Raises:
        DataUnusable: the file is missing or damaged, or its fields do not match each other.
    """
    try:
        fields = read_npz(path)
    except (OSError, ValueError) as error:
        raise DataUnusable(f"{path} is not a file of tags (npz), or it is damaged or missing. {REMEDY}") from error
    for problem in _problems(fields):
        raise DataUnusable(f"{path} {problem}. {REMEDY}")
    order = np.argsort(fields["track"], kind="stable")
    names, starts = np.unique(fields["track"][order], return_index=True)
    check_names(names.tolist())
    columns = (np.split(fields[name][order].astype(np.float32), starts[1:]) for name in _VALUES if name in fields)
    return {name: WindowTags(*values) for name, *values in zip(names.tolist(), *columns, strict=True)}


def read_plain_tags(path: Path) -> dict[str, Floats]:
    """Reads the tags [windows, tags] of each track alone; see ``read_tag_file``."""
    return {name: track.tags for name, track in read_tag_file(path).items()}


def write_tag_file(path: Path, tracks: Mapping[str, WindowTags]) -> None:
    """Writes a file that ``read_tag_file`` reads.

    Args:
        path: the file; an older one stays until the new one is whole.
        tracks: the tags of each track, at least one; the file has their layers if all of them are known.

    Raises:
        DataUnusable: the name of a track cannot be saved.
        OSError: the file cannot be written.
    """
    check_names(tracks)
    names = np.repeat(list(tracks), [len(track.tags) for track in tracks.values()])
    layers = [track.layer for track in tracks.values() if track.layer is not None]
    fields = {"tags": np.concatenate([track.tags for track in tracks.values()]), "track": names}
    write_npz(path, fields | ({"layer": np.concatenate(layers)} if len(layers) == len(tracks) else {}))


def _problems(fields: Fields) -> Iterator[str]:
    """Yields why the fields are not tags of tracks; a later check is valid only if the earlier ones passed."""
    if not {"tags", "track"} <= fields.keys():
        yield "is not a file of tags: it lacks tags or track"
    tags, names = fields["tags"], fields["track"]
    if tags.ndim != 2 or not tags.shape[1] or tags.dtype.kind != "f" or names.shape != tags.shape[:1]:
        yield f"has tags of the shape {tags.shape} and tracks {names.shape}, not numbers [windows, tags] and [windows]"
    if names.dtype.kind != "U":
        yield "has tracks that are not text"
    if not len(names):
        yield "has no tracks"
    # NaN is in no range.
    if not ((tags >= 0) & (tags <= 1)).all():
        yield "has tags that are not numbers in [0, 1]"
    if (layer := fields.get("layer")) is not None:
        if layer.ndim != 2 or layer.dtype.kind != "f" or len(layer) != len(names):
            yield f"has a layer of the shape {layer.shape}, not numbers [windows, d]"
        if not np.isfinite(layer).all():
            yield "has a layer that is not of finite numbers"
