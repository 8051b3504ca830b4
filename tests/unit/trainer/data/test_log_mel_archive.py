from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.trainer.data.log_mel_archive import read_archive
from segue.trainer.errors import DataUnusable, RecipeMismatch

WriteArchive = Callable[..., Path]


def test_codes_become_decibels(write_archive: WriteArchive) -> None:
    """Decibels are the code times the scale plus the offset, and clips are in the order of their names."""
    codes = np.full((6, 128, 387), 256 // 2, np.uint8)
    dataset = read_archive(write_archive(X=codes), FeatureConfig())
    assert ["blues.00000", "blues.00001", "blues.00002"] == [clip.track for clip in dataset.clips][:3]
    assert ["blues"] * 3 + ["rock"] * 3 == [clip.genre for clip in dataset.clips]
    assert pytest.approx(-39.84375) == float(dataset.clips[0].decibels[0, 0])


def test_tracks_without_names_are_numbered(write_archive: WriteArchive) -> None:
    """An archive may lack the names of its tracks."""
    dataset = read_archive(write_archive(track=None), FeatureConfig())
    assert ["00000", "00001"] == [clip.track for clip in dataset.clips][:2]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("hop_length", 1024), ("fmax", 8000.0), ("mel", "htk"), ("columns", "every frame"), ("decibels", "relative to 1")],
)
def test_another_recipe_is_refused_by_name(write_archive: WriteArchive, setting: str, value: Any) -> None:  # noqa: ANN401
    """A network on other features would predict wrong genres, without an error."""
    with pytest.raises(RecipeMismatch, match=setting) as refused:
        read_archive(write_archive({setting: value}), FeatureConfig())
    assert repr(value) in str(refused.value)


def test_a_recipe_that_lacks_a_setting_is_refused(write_archive: WriteArchive) -> None:
    """A missing setting is not assumed to match."""
    with pytest.raises(RecipeMismatch, match="n_mels is 'missing'"):
        read_archive(write_archive(recipe=np.array("{}")), FeatureConfig())


@pytest.mark.parametrize(
    "config",
    [
        FeatureConfig(floor_db=-90.0),
        FeatureConfig(scale="log10_10000"),
        replace(FeatureConfig(), grid=replace(FeatureConfig().grid, offset=0)),
    ],
    ids=["deeper floor", "other scale", "other columns"],
)
def test_a_front_end_that_no_archive_has_is_refused(write_archive: WriteArchive, config: FeatureConfig) -> None:
    """The features of an archive cannot be converted to those of another front end."""
    with pytest.raises(RecipeMismatch, match="folder of audio"):
        read_archive(write_archive(), config)


@pytest.mark.parametrize("content", [b"", b"track\tgenre\n", b"PK\x03\x04 cut off"], ids=["empty", "text", "cut off"])
def test_a_file_that_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    """Any other file is an error with its name, not a traceback."""
    path = tmp_path / "notes.npz"
    path.write_bytes(content)
    with pytest.raises(DataUnusable, match=r"notes\.npz is not a log-mel archive"):
        read_archive(path, FeatureConfig())


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"genre": None}, "lacks genre"),
        ({"X": np.zeros((6, 64, 387), np.uint8)}, r"\(6, 64, 387\)"),
        ({"X": np.zeros((5, 128, 387), np.uint8)}, r"\(5, 128, 387\)"),
        ({"X": np.zeros((6, 128, 20), np.uint8)}, r"\(6, 128, 20\)"),
        ({"X": np.full((6, 128, 387), "dB")}, "not numbers"),
        ({"X": np.zeros((6, 128, 387), np.complex64)}, "holds complex64, not numbers"),
        ({"X": np.full((6, 128, 387), np.nan, np.float32)}, "not finite"),
        ({"scale_db": np.ones(6)}, "scale_db is not one finite number"),
        ({"scale_db": np.float32(np.nan)}, "scale_db is not one finite number"),
        ({"offset_db": np.array("loud")}, "offset_db is not one finite number"),
        ({"track": np.array(["a", "b"])}, "track is not a list of 6 names"),
        ({"track": np.arange(6)}, "track is not a list of 6 names"),
        ({"track": np.array(["a", "b", "c", "d", "e", "a"])}, "names the track a more than once"),
        ({"genre": np.array("blues")}, "genre is not a list of 1 name,"),
        ({"genre": np.array(["blues"] * 5 + [""])}, "genre is not a list of 6 names"),
        ({"genre": np.arange(6)}, "genre is not a list of 6 names"),
        ({"recipe": np.array("{")}, "not JSON"),
        ({"recipe": np.array("[]")}, "not a JSON object"),
    ],
)
def test_a_damaged_archive_is_named(write_archive: WriteArchive, fields: dict[str, Any], problem: str) -> None:
    """A missing field, a wrong shape and an unreadable recipe each have their own message."""
    with pytest.raises(DataUnusable, match=problem):
        read_archive(write_archive(**fields), FeatureConfig())
