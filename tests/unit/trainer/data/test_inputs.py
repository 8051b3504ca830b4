from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import soundfile

from segue.core.features.config import FeatureConfig
from segue.core.testing.synthetic_clips import render_folder
from segue.trainer.data.inputs import choose_side, open_input, select_all
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import Split
from tests.helpers.machine.file_opens import count_opens

CONFIG = FeatureConfig()
SPLIT = Split("mine", {"a": "train", "b": "valid", "c": "test", "d": "unused"})


T = TypeVar("T")


def show_nothing(results: Iterable[T], total: int) -> Iterable[T]:
    """Passes results on without showing progress."""
    return results


@pytest.mark.parametrize(
    ("tracks", "side"),
    [("abcd", "test"), ("abd", "valid"), ("ad", "train")],
)
def test_the_side_that_a_network_has_seen_least_of_is_preferred(tracks: str, side: str) -> None:
    """Test comes before validation, and validation before training."""
    assert side == choose_side(SPLIT, None, tracks)


@pytest.mark.parametrize("tracks", ["d", "xyz"])
def test_an_input_without_a_track_of_the_split_is_refused(tracks: str) -> None:
    """The split cannot select the tracks to evaluate."""
    with pytest.raises(SplitMismatch, match=f"such as {tracks[0]}, is on a side.*leave out --split"):
        choose_side(SPLIT, None, tracks)


def test_a_requested_side_is_chosen() -> None:
    """Also the training side, which is never preferred."""
    assert "train" == choose_side(SPLIT, "train", "abcd")


def test_a_side_that_is_not_there_is_refused() -> None:
    """There would be no tracks to evaluate."""
    with pytest.raises(SplitMismatch, match=r"'test'.*its sides are: train, valid"):
        choose_side(SPLIT, "test", "abx")


def test_columns_follow_from_the_headers(tmp_path: Path, write_archive: Callable[..., Path]) -> None:
    """A file that libsndfile does not read counts as a clip of 30 s; only selected tracks are counted."""
    (tmp_path / "music" / "rock").mkdir(parents=True)
    soundfile.write(tmp_path / "music" / "rock" / "a.wav", np.zeros(6 * 22_050), 22_050)
    (tmp_path / "music" / "rock" / "b.m4a").write_text("no music")
    (tmp_path / "music" / "rock" / "c.wav").touch()
    folder, archive = open_input(tmp_path / "music", CONFIG), open_input(write_archive(), CONFIG)
    assert [78, 387] == folder.columns(lambda track: track != "rock/c.wav")
    assert [387] == archive.columns(lambda track: track == "rock.00002")


def test_an_archive_is_read_once(write_archive: Callable[..., Path]) -> None:
    """Genres, columns, clips and windows all come from one reading of the file."""
    path = write_archive()
    with count_opens(path) as opens:
        archive = open_input(path, CONFIG)
        assert 6 == len(archive.genres) == len(archive.columns(select_all))
        assert 6 == len(archive.read(select_all, show_nothing).clips)
        assert 6 == len(archive.extract(10, select_all, show_nothing)[0])
    assert 1 == opens.count


def test_a_clip_is_decoded_once(tmp_path: Path) -> None:
    """Genres and columns come without decoding; reading a clip decodes it once."""
    (first, *_) = render_folder(tmp_path / "clips", clips=2)
    with count_opens(first) as opens:
        folder = open_input(tmp_path / "clips", CONFIG)
        assert 2 == len(folder.genres) == len(folder.columns(select_all))
        assert 0 == opens.count
        assert 2 == len(folder.read(select_all, show_nothing).clips)
    assert 1 == opens.count


def test_an_input_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message has the path that is neither a folder nor an archive."""
    with pytest.raises(DataUnusable, match="nowhere does not exist"):
        open_input(tmp_path / "nowhere", CONFIG)
