"""Reads and writes files of tags, which one network gives the windows of tracks and another one is trained on.

Each is an npz of ``tags`` float [windows, tags] in [0, 1] and ``track`` [windows], the name of each window's track. The
windows of a track are in the order of time and spread evenly over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from segue.trainer.arrays import Floats
from segue.trainer.data.npz import Fields, read_npz, write_npz
from segue.trainer.errors import DataUnusable
from segue.trainer.splits.split import check_names

REMEDY = "Make the file with segue-trainer tag, and name it with --tags."


def read_tag_file(path: Path) -> dict[str, Floats]:
    """Reads the tags [windows, tags] of each track, in the order of the tracks' names.

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
    tags = fields["tags"][order].astype(np.float32)
    return dict(zip(names.tolist(), np.split(tags, starts[1:]), strict=True))


def write_tag_file(path: Path, tracks: Mapping[str, Floats]) -> None:
    """Writes a file that ``read_tag_file`` reads.

    Args:
        path: the file; an older one stays until the new one is whole.
        tracks: the tags [windows, tags] of each track, at least one.

    Raises:
        OSError: it cannot be written.
    """
    names = np.repeat(list(tracks), [len(tags) for tags in tracks.values()])
    write_npz(path, {"tags": np.concatenate(list(tracks.values())), "track": names})


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
