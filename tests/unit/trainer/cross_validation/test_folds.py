from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.trainer.cross_validation.folds import FOLDS, artists_of, draw_folds
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.errors import DataUnusable
from segue.trainer.splits.split import gtzan_artists


def make_clips(names: list[str]) -> Dataset:
    """Clips of different columns, with the genre that their names begin with."""
    random = np.random.default_rng(0)
    clips = (Clip(name, name.split(".")[0], random.random((4, 5)).astype(np.float32)) for name in sorted(names))
    return Dataset(tuple(clips))


def test_the_clips_of_an_artist_are_in_one_fold() -> None:
    """Each clip is held out once, and never from a network that was trained on its artist."""
    names = [track for track, artist in gtzan_artists().items() if artist and track.startswith(("disco.", "metal."))]
    dataset = make_clips(names)
    artists, folds = artists_of(dataset), draw_folds(dataset, 3)
    assert FOLDS == len(folds)
    assert list(range(len(names))) == sorted(np.concatenate([held_out for _, held_out in folds]).tolist())
    for train, held_out in folds:
        assert set() == set(artists[train]) & set(artists[held_out])


def test_copies_of_a_recording_are_in_one_fold() -> None:
    """Files with the same columns count as of one artist, whatever their names."""
    dataset = make_clips([f"{genre}.x{number}" for genre in "ab" for number in range(6)])
    first, *others = dataset.clips
    copied = Dataset((first, *(replace(clip, decibels=first.decibels) for clip in others[:2]), *others[2:]))
    artists = artists_of(copied)
    assert 1 == len(set(artists[:3]))
    assert 10 == len(set(artists))
    for _, held_out in draw_folds(copied, 0):
        assert len(held_out[held_out < 3]) in (0, 3)


def test_too_few_clips_for_folds_are_refused() -> None:
    """The message says what is missing."""
    with pytest.raises(DataUnusable, match="Every genre has fewer than 5 tracks"):
        draw_folds(make_clips([f"{genre}.x{number}" for genre in "ab" for number in range(4)]), 0)
