from __future__ import annotations

import numpy as np
import pytest

from segue.trainer.accurate.cross_validation import TagArrays
from segue.trainer.accurate.tags import caution_about_copies
from segue.trainer.cross_validation.folds import artist_folds
from segue.trainer.data.tagged_copies import tagged_copies
from segue.trainer.data.tagged_track import TaggedTrack


def make_tracks(count: int, seed: int = 0, beginning: str = "") -> list[TaggedTrack]:
    """Tracks of two genres with random tags of three windows; those of one seed have the same tags."""
    random = np.random.default_rng(seed)
    return [
        TaggedTrack(f"{'ab'[number % 2]}/{beginning}{number}", "ab"[number % 2], random.random((3, 50), np.float32))
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [3, 1_500])
def test_copies_are_found(count: int) -> None:
    """Each copy is paired with the first track, also if it has other rounding, and if there are many tracks between."""
    first, *others = make_tracks(count)
    copies = [TaggedTrack(f"a/copy {step}", "a", first.tags * (1 + step)) for step in (0, 1e-6)]
    pairs = [("a/0", "a/copy 0"), ("a/0", "a/copy 1e-06")]
    assert pairs == tagged_copies([first, *others, *copies])


def test_other_recordings_are_no_copies() -> None:
    """Tracks whose tags differ are their own recordings, and so are tracks without any tag."""
    silent = [TaggedTrack(f"a/silent {number}", "a", np.zeros((1, 50), np.float32)) for number in range(2)]
    assert [] == tagged_copies([*make_tracks(8), *silent])
    assert [] == list(caution_about_copies(make_tracks(8)))


def test_folds_keep_copies_together() -> None:
    """A head is not evaluated on a track whose copy trained it; a message counts the copies."""
    tracks = [*make_tracks(12), *make_tracks(12, beginning="copy of ")]
    arrays = TagArrays.of(tracks, ("a", "b"), 5)
    for train, held_out in artist_folds(arrays.genres, arrays.groups, ("a", "b"), 0):
        assert set() == {row % 12 for row in train} & {row % 12 for row in held_out}
    assert 12 == arrays.sample.effective_artists()
    (sentence,) = caution_about_copies(tracks)
    assert sentence.startswith("12 tracks are copies of others by the tags.")
