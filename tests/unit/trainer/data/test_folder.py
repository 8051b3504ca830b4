from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from segue.trainer.data.dataset import Clip
from segue.trainer.data.folder import clip_decibels, extract_folder, list_folder, read_folder
from segue.trainer.data.labelled_windows import cut_windows
from segue.trainer.errors import DataUnusable

CONFIG = FeatureConfig()


def touch(folder: Path, *names: str) -> Path:
    """Empty files under a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def write(path: Path, seconds: float, gain: float = 1.0) -> Path:
    """A rendered clip on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, gain * render_clip(0, seconds), 22_050, subtype="PCM_16")
    return path


def test_tracks_are_named_as_gtzan_names_them(tmp_path: Path) -> None:
    """A file that begins with its genre is named as the splits name it; any other keeps its folder and ending."""
    touch(tmp_path, "blues/blues.00001.au", "blues/blues.00000.wav", "rock/My Song.mp3", "rock/.hidden", "README.txt")
    files = list_folder(tmp_path)
    assert [("blues.00000", "blues"), ("blues.00001", "blues"), ("rock/My Song.mp3", "rock")] == [
        (file.track, file.genre) for file in files
    ]


def test_a_genre_s_folders_are_walked(tmp_path: Path) -> None:
    """Albums lie in a genre's folder as people keep them; what is hidden, or behind a link, is left alone."""
    touch(tmp_path, "rock/Band/Album/one.mp3", "rock/two.mp3", "rock/.trash/three.mp3", "rock/Band/rock.00007.wav")
    touch(tmp_path / ".elsewhere", "four.mp3")
    (tmp_path / "rock" / "link").symlink_to(tmp_path / ".elsewhere")
    assert ["rock.00007", "rock/Band/Album/one.mp3", "rock/two.mp3"] == [file.track for file in list_folder(tmp_path)]


def test_a_track_in_two_formats_is_refused(tmp_path: Path) -> None:
    """It would stand on two sides of a split."""
    touch(tmp_path, "blues/blues.00000.au", "blues/blues.00000.wav")
    with pytest.raises(DataUnusable, match=r"both the track blues\.00000"):
        list_folder(tmp_path)


def test_an_empty_genre_is_refused(tmp_path: Path) -> None:
    """A genre without clips is a mistake in the layout, not a genre."""
    touch(tmp_path, "rock/a.wav")
    (tmp_path / "jazz").mkdir()
    with pytest.raises(DataUnusable, match="no clips in jazz"):
        list_folder(tmp_path)


def test_a_folder_without_genres_is_refused(tmp_path: Path) -> None:
    """Clips that lie side by side have no genre."""
    touch(tmp_path, "a.wav", "b.wav")
    with pytest.raises(DataUnusable, match="<genre>"):
        list_folder(tmp_path)


def test_clips_that_cannot_be_learnt_from_are_dropped_and_named(tmp_path: Path) -> None:
    """Text, silence and clips under 28 s are left out with their reason; the others are read."""
    write(tmp_path / "rock" / "whole.wav", 29)
    write(tmp_path / "rock" / "short.wav", 27)
    write(tmp_path / "rock" / "silent.wav", 29, gain=0)
    (tmp_path / "rock" / "text.wav").write_text("no music")
    dataset = read_folder(list_folder(tmp_path), CONFIG, lambda results, total: results)
    assert ["rock/whole.wav"] == [clip.track for clip in dataset.clips]
    assert ["rock/short.wav", "rock/silent.wav", "rock/text.wav"] == sorted(dataset.dropped)
    assert "27.0 s" in dataset.dropped["rock/short.wav"]


def test_short_tracks_are_still_judged(tmp_path: Path) -> None:
    """The server answers for 5 s of music, so a network can be judged by it."""
    write(tmp_path / "rock" / "short.wav", 5)
    write(tmp_path / "rock" / "tiny.wav", 1)
    heard, dropped = extract_folder(list_folder(tmp_path), CONFIG, 10, lambda results, total: results)
    assert [("rock/short.wav", 2)] == [(clip.track, len(clip.windows.values)) for clip in heard]
    assert ["rock/tiny.wav"] == list(dropped)


def test_learnt_windows_are_the_served_windows(tmp_path: Path) -> None:
    """Windows cut from a clip's columns are what the server makes of the same file, to a thousandth of a decibel."""
    path = write(tmp_path / "clip.wav", 30)
    learnt = cut_windows(Clip("clip", "rock", clip_decibels(path, CONFIG)), CONFIG, 10).windows
    served = extract(path, CONFIG, 10).windows
    assert pytest.approx(served.starts) == learnt.starts
    np.testing.assert_allclose(learnt.values, served.values, atol=1e-3)
