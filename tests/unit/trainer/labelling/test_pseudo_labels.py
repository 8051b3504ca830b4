from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.paths import shipped_models
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import MusicFile
from segue.trainer.labelling.pseudo_labels import UnlabelledMusic, add_pseudo_labelled, nearest_windows, without_copies
from segue.trainer.splits.split import TEST, TRAIN, VALID, Split
from tests.helpers.machine.file_opens import count_opens

POSTERIOR = np.array([[0.9, 0.1]], np.float32)
FAST = shipped_models() / "segue-fast"
GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


def make_clip(track: str, seed: int, posterior: Floats | None = None) -> Clip:
    """Makes a clip of noise; the same seed gives the same recording."""
    decibels = np.random.default_rng(seed).random((128, 39), np.float32)
    return Clip(track, track[0], decibels, posterior=posterior)


@pytest.fixture
def data() -> TrainValidSplit:
    """Two training clips and a validation clip of the genres a and b; a test clip is left out."""
    clips = (make_clip("a.0", 0), make_clip("b.0", 1), make_clip("a.1", 2), make_clip("a.2", 3))
    sides = {"a.0": TRAIN, "b.0": TRAIN, "a.1": VALID, "a.2": TEST}
    return TrainValidSplit.of(Dataset(clips), Split("drawn", sides))


def test_posteriors_get_the_order_of_the_labels(data: TrainValidSplit) -> None:
    """A teacher may have the genres in another order; the labelled clips stay as they are."""
    unlabelled = Dataset((make_clip("unlabelled: x", 9, POSTERIOR),))
    together = add_pseudo_labelled(data, unlabelled, ("b", "a"), "teacher-01234567")
    (clip,) = together.pseudo_labelled.clips
    assert clip.posterior is not None
    assert POSTERIOR[:, ::-1].tolist() == clip.posterior.tolist()
    assert (data.train, data.validation) == (together.train, together.validation)
    assert [*data.train.clips, clip] == list(together.training_set.clips)
    assert "teacher-01234567" == together.teacher
    assert data.digest != together.digest


def test_copies_are_left_out(data: TrainValidSplit) -> None:
    """A copy of a validation clip would make the figures too good, and copies of each other would count twice."""
    clips = [make_clip(f"unlabelled: {number}", seed, POSTERIOR) for number, seed in enumerate((0, 2, 9, 9))]
    together = add_pseudo_labelled(data, Dataset((*clips,)), ("a", "b"), "teacher")
    assert ["unlabelled: 2"] == [clip.track for clip in together.pseudo_labelled.clips]


def test_clips_that_cannot_be_used(data: TrainValidSplit) -> None:
    """A teacher of other genres and copies alone are refused."""
    unlabelled = Dataset((make_clip("unlabelled: x", 9, POSTERIOR),))
    with pytest.raises(DataUnusable, match="The teacher has the genres a, c, and the labelled clips have a, b"):
        add_pseudo_labelled(data, unlabelled, ("a", "c"), "teacher")
    with pytest.raises(DataUnusable, match="No unlabelled clip can be used"):
        add_pseudo_labelled(data, Dataset((make_clip("unlabelled: x", 0, POSTERIOR),)), ("a", "b"), "teacher")


def test_labelled_files_are_left_out_whatever_their_side(tmp_path: Path) -> None:
    """A copy of a file of the test side is recognized by its bytes, before any audio is decoded."""
    labelled, music = tmp_path / "labelled", tmp_path / "music"
    for folder, name, content in (
        (labelled, "test.wav", b"1234"),
        (music, "copy.wav", b"1234"),
        (music, "a.wav", b"5678"),
    ):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    opened = UnlabelledMusic.open(music, FAST, GENRES, [labelled / "test.wav"])
    assert ([music / "a.wav"], 1) == ([file.path for file in opened.files], opened.copies)
    with pytest.raises(DataUnusable, match="is labelled already"):
        UnlabelledMusic.open(labelled, FAST, GENRES, [labelled / "test.wav"])


def test_a_labelled_file_is_read_once(tmp_path: Path) -> None:
    """WAV files of 30 s all have one size, so that it would be read again for each unlabelled file otherwise."""
    labelled, music = tmp_path / "labelled.wav", tmp_path / "music"
    labelled.write_bytes(b"0003")
    music.mkdir()
    for number in range(20):
        (music / f"{number}.wav").write_bytes(b"%04d" % number)
    with count_opens(labelled) as opens:
        opened = UnlabelledMusic.open(music, FAST, GENRES, [labelled])
    assert (19, 1, 1) == (len(opened.files), opened.copies, opens.count)


def test_a_file_that_cannot_be_read_is_left_to_the_decoder(tmp_path: Path) -> None:
    """Its reason is reported with those of other files, and the run goes on."""
    gone = MusicFile(tmp_path / "gone.wav", 4, 0)
    (tmp_path / "labelled.wav").write_bytes(b"1234")
    assert [gone] == without_copies([gone], [tmp_path / "labelled.wav", tmp_path / "gone too.wav"])


def test_places_get_the_nearest_window() -> None:
    """Silence from 6 to 24 s has no windows; its places get those around it, not others of the clip."""
    starts = np.array([0.0, 3.0, 24.0, 27.0])
    assert [0, 1, 1, 1, 2, 2, 2, 3] == nearest_windows(starts, np.array([0, 4, 6, 12, 15, 20, 24, 27.0])).tolist()
