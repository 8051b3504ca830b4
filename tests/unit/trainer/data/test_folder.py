from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from segue.trainer.accurate.tags import genre_of
from segue.trainer.data.dataset import Clip
from segue.trainer.data.folder import clip_decibels, extract_each, extract_folder, list_folder, read_folder
from segue.trainer.data.labelled_windows import cut_windows
from segue.trainer.errors import DataUnusable
from segue.trainer.training.recipes import RECIPES

CONFIG = FeatureConfig()


def touch(folder: Path, *names: str) -> Path:
    """Creates empty files in a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def write(path: Path, seconds: float, gain: float = 1.0) -> Path:
    """Writes a rendered clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, gain * render_clip(0, seconds), 22_050, subtype="PCM_16")
    return path


def test_tracks_are_named_as_gtzan_names_them(tmp_path: Path) -> None:
    """A file with a name of GTZAN's form has the name that splits have; any other keeps its folder and ending."""
    touch(tmp_path, "blues/blues.00001.au", "blues/blues.00000.wav", "rock/My Song.mp3", "rock/.hidden", "README.txt")
    files = list_folder(tmp_path)
    assert [("blues.00000", "blues"), ("blues.00001", "blues"), ("rock/My Song.mp3", "rock")] == [
        (file.track, file.genre) for file in files
    ]


@pytest.mark.parametrize("genre", ["house", "drum.n.bass"])
@pytest.mark.parametrize(
    "song", [".of.pain.mp3", ".live.2020.flac", ".1999.mp3", ".0.mp3", ".000001.mp3", ".00001a.mp3"]
)
def test_songs_whose_names_begin_with_their_genre(tmp_path: Path, genre: str, song: str) -> None:
    """They keep their folder, so that the genre in their name is that of the folder; two of one name are two tracks."""
    touch(tmp_path, f"{genre}/{genre}{song}", f"{genre}/a/{genre}{song}", f"{genre}/{genre}.00001.wav")
    files = list_folder(tmp_path)
    assert {f"{genre}/{genre}{song}", f"{genre}/a/{genre}{song}", f"{genre}.00001"} == {file.track for file in files}
    assert {genre} == {genre_of(file.track) for file in files}


def test_a_genre_s_folders_are_walked(tmp_path: Path) -> None:
    """Albums may be in subfolders of a genre; system folders and folders behind links are left out."""
    touch(tmp_path, "rock/Band/Album/one.mp3", "rock/two.mp3", "rock/.trash/three.mp3", "rock/Band/rock.00007.wav")
    touch(tmp_path / ".elsewhere", "four.mp3")
    (tmp_path / "rock" / "link").symlink_to(tmp_path / ".elsewhere")
    assert ["rock.00007", "rock/Band/Album/one.mp3", "rock/two.mp3"] == [file.track for file in list_folder(tmp_path)]


def test_albums_and_songs_may_begin_with_dots(tmp_path: Path) -> None:
    """Resource forks, .DS_Store and the like are no clips, and hidden or system folders no genres."""
    touch(
        tmp_path, "rock/..Hits/...one.mp3", "rock/..Hits/._two.mp3", "rock/.DS_Store", ".idea/three.xml", "@eaDir/four"
    )
    assert ["rock/..Hits/...one.mp3"] == [file.track for file in list_folder(tmp_path)]


def test_a_track_in_two_formats_is_refused(tmp_path: Path) -> None:
    """It could be on two sides of a split."""
    touch(tmp_path, "blues/blues.00000.au", "blues/blues.00000.wav")
    with pytest.raises(DataUnusable, match=r"both the track blues\.00000"):
        list_folder(tmp_path)


def test_an_empty_genre_is_refused(tmp_path: Path) -> None:
    """A genre without clips is a mistake in the layout."""
    touch(tmp_path, "rock/a.wav")
    (tmp_path / "jazz").mkdir()
    with pytest.raises(DataUnusable, match="no clips in jazz"):
        list_folder(tmp_path)


def test_a_folder_without_genres_is_refused(tmp_path: Path) -> None:
    """Clips outside of folders have no genre."""
    touch(tmp_path, "a.wav", "b.wav")
    with pytest.raises(DataUnusable, match="<genre>"):
        list_folder(tmp_path)


def test_clips_that_cannot_be_trained_on_are_dropped_with_reasons(tmp_path: Path) -> None:
    """Text, silence and clips under 28 s are dropped with their reasons; the others are read."""
    write(tmp_path / "rock" / "whole.wav", 29)
    write(tmp_path / "rock" / "short.wav", 27)
    write(tmp_path / "rock" / "silent.wav", 29, gain=0)
    (tmp_path / "rock" / "text.wav").write_text("no music")
    dataset = read_folder(list_folder(tmp_path), CONFIG, lambda results, total: results)
    assert ["rock/whole.wav"] == [clip.track for clip in dataset.clips]
    assert ["rock/short.wav", "rock/silent.wav", "rock/text.wav"] == sorted(dataset.dropped)
    assert "27.0 s" in dataset.dropped["rock/short.wav"]


def test_files_that_cannot_be_read_are_dropped_with_reasons(tmp_path: Path) -> None:
    """Links without a target, and files that were removed after they were listed, do not end a run."""
    write(tmp_path / "rock" / "whole.wav", 29)
    (tmp_path / "rock" / "link.wav").symlink_to(tmp_path / "nowhere.wav")
    files = list_folder(touch(tmp_path, "rock/removed.wav"))
    (tmp_path / "rock" / "removed.wav").unlink()
    dataset = read_folder(files, CONFIG, lambda results, total: results)
    tracks, dropped = extract_folder(files, CONFIG, 10, lambda results, total: results)
    assert ["rock/whole.wav"] == [clip.track for clip in dataset.clips] == [track.track for track in tracks]
    reason = "It cannot be read: No such file or directory."
    assert {"rock/link.wav": reason, "rock/removed.wav": reason} == dataset.dropped == dropped


def test_folders_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their clips would be missing without a word."""
    touch(tmp_path, "rock/one.wav", "rock/closed/two.wav")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert ["rock/closed", "rock/one.wav"] == [file.track for file in list_folder(tmp_path)]


def test_named_pipes_are_no_clips(tmp_path: Path) -> None:
    """A pipe without a writer would block a run for ever."""
    os.mkfifo(touch(tmp_path, "rock/one.wav") / "rock" / "pipe.wav")
    assert ["rock/one.wav"] == [file.track for file in list_folder(tmp_path)]


def test_the_windows_of_few_files_are_in_memory(tmp_path: Path) -> None:
    """Files are opened as their windows are taken, not all at the start."""
    files = list_folder(touch(tmp_path, *(f"rock/{number:02}.wav" for number in range(40))))
    results = extract_each(files, CONFIG, 10)
    next(results)
    (tmp_path / "rock" / "39.wav").unlink()
    assert [files[-1]] == [file for file, result in results if "It cannot be read" in str(result)]


def test_short_tracks_are_evaluated(tmp_path: Path) -> None:
    """The server takes 5 s of music, so a network can be evaluated on it."""
    write(tmp_path / "rock" / "short.wav", 5)
    write(tmp_path / "rock" / "tiny.wav", 1)
    tracks, dropped = extract_folder(list_folder(tmp_path), CONFIG, 10, lambda results, total: results)
    assert [("rock/short.wav", 2)] == [(track.track, len(track.windows.values)) for track in tracks]
    assert ["rock/tiny.wav"] == list(dropped)


def test_training_windows_are_the_served_windows(tmp_path: Path) -> None:
    """Windows cut from a clip's columns equal those that the server extracts, to a thousandth of a decibel."""
    path = write(tmp_path / "clip.wav", 30)
    cut = cut_windows(Clip("clip", "rock", clip_decibels(path, CONFIG)), CONFIG, 10).windows
    served = extract(path, CONFIG, 10).windows
    assert pytest.approx(served.starts) == cut.starts
    np.testing.assert_allclose(cut.values, served.values, atol=1e-3)


def test_clips_shorter_than_a_window_are_dropped(tmp_path: Path) -> None:
    """The CNN-LSTM with windows of 30 s cannot be trained on a clip of 29 s, and the message says so."""
    write(tmp_path / "rock" / "long.wav", 30.0)
    write(tmp_path / "rock" / "short.wav", 29.0)
    config = RECIPES["paper-cnn-lstm-30s"].front_end
    dataset = read_folder(list_folder(tmp_path), config, lambda results, _total: results)
    assert ["rock/long.wav"] == [clip.track for clip in dataset.clips]
    assert {"rock/short.wav": "It lasts 29.00 s, less than one window of 29.9 s."} == dataset.dropped
