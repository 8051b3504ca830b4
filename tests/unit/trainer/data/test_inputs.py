from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.features.config import FeatureConfig
from segue.trainer.data.inputs import choose_side, columns_of, list_input
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import Split

SPLIT = Split("mine", {"a": "train", "b": "valid", "c": "test", "d": "unused"})


@pytest.mark.parametrize(
    ("tracks", "side"),
    [("abcd", "test"), ("abd", "valid"), ("ad", "train")],
)
def test_a_network_is_judged_by_the_sternest_side(tracks: str, side: str) -> None:
    """Test before validation before training."""
    assert side == choose_side(SPLIT, None, tracks)


@pytest.mark.parametrize("tracks", ["d", "xyz"])
def test_an_input_that_stands_on_no_side_is_refused(tracks: str) -> None:
    """A split that knows none of the tracks cannot say which are judged."""
    with pytest.raises(SplitMismatch, match=f"none of the input's {len(tracks)} tracks.*leave out --split"):
        choose_side(SPLIT, None, tracks)


def test_a_wish_is_followed() -> None:
    """The training side is judged where that is asked for."""
    assert "train" == choose_side(SPLIT, "train", "abcd")


def test_a_side_that_is_not_there_is_refused() -> None:
    """Figures of no tracks would be figures of nothing."""
    with pytest.raises(SplitMismatch, match=r"'test'.*there: train, valid"):
        choose_side(SPLIT, "test", "abx")


def test_the_columns_of_clips_are_told_from_their_headers(tmp_path: Path, write_archive: Callable[..., Path]) -> None:
    """A file that libsndfile does not know counts as a clip of 30 s; only what is wanted is counted."""
    (tmp_path / "music" / "rock").mkdir(parents=True)
    soundfile.write(tmp_path / "music" / "rock" / "a.wav", np.zeros(6 * 22_050), 22_050)
    (tmp_path / "music" / "rock" / "b.m4a").write_text("no music")
    (tmp_path / "music" / "rock" / "c.wav").touch()
    config = FeatureConfig()
    assert [78, 387] == columns_of(tmp_path / "music", config, lambda track: track != "rock/c.wav")
    assert [387] == columns_of(write_archive(), config, lambda track: track == "rock.00002")


def test_an_input_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Neither a folder nor an archive: say which path was meant."""
    with pytest.raises(DataUnusable, match="nowhere"):
        list_input(tmp_path / "nowhere", FeatureConfig())
