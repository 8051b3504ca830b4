"""What only real music shows of segue-accurate: its tags are MusiCNN's own, and neither rate nor length matters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner

from segue.core.audio.decode import open_audio
from segue.core.features.extract import extract
from segue.core.features.windows import window_at
from segue.core.model.saved_model import Model, Prediction
from segue.core.paths import resolve_model
from segue.trainer.accurate.tags import read_tags
from segue.trainer.arrays import Floats
from segue.trainer.cli.main import main
from segue.trainer.data.folder import AudioFile, list_folder

TAGS = "musicnn_tags_train.npz"
HOP = 61  # columns between the stored windows of a track
NEAR_THE_SERVED = (0, 7, 14, 21, 27)
SURE = 0.5


@pytest.fixture(scope="module")
def model() -> Model:
    """The network that ships."""
    return Model.load(resolve_model("segue-accurate"))


@pytest.fixture(scope="module")
def at_16_khz(gtzan: Path) -> list[Path]:
    """The eight real clips at 16 kHz, the network's own rate."""
    files = sorted((gtzan / "audio").glob("*/*.flac"))
    clips = [path for path in files if soundfile.info(path).samplerate == 16_000]
    assert 8 == len(clips)
    return clips


@pytest.fixture(scope="module")
def as_they_are(model: Model, at_16_khz: list[Path]) -> list[Prediction]:
    """What the network makes of those clips."""
    return [hear(model, path) for path in at_16_khz]


def hear(model: Model, path: Path) -> Prediction:
    """What the network makes of a file, by the path that the server takes."""
    (heard,) = model.predict([extract(path, model.manifest.features, model.manifest.windows).windows])
    return heard


def test_tags_are_those_that_were_stored(gtzan: Path, model: Model) -> None:
    """Of every real training clip the mean tags of five windows correlate by 0.99 or more with MusiCNN's own.

    The stored windows lie 61 columns apart. Those nearest to the served ones are taken, at the very columns that they
    were made from: a third of a second beside them single tags differ more than any rounding.
    """
    stored = {track.track: track.tags for track in read_tags(gtzan / TAGS)}
    files = [file for file in list_folder(gtzan / "audio") if file.track in stored]
    assert 41 == len(files)
    found = {file.track: correlation(model, file, stored[file.track]) for file in files}
    assert {} == {track: value for track, value in found.items() if value < 0.99}


def correlation(model: Model, file: AudioFile, stored: Floats) -> float:
    """Between the mean tags of five windows as they are computed and as they are stored."""
    config = model.manifest.features
    with open_audio(file.path, config.sample_rate) as source:
        windows = [window_at(source, config, HOP * place) for place in NEAR_THE_SERVED]
    tags = model.encode(np.stack([window for window in windows if window is not None]))
    return float(np.corrcoef(tags.mean(0), stored[list(NEAR_THE_SERVED)].mean(0))[0, 1])


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_another_rate_in_stereo_is_heard_alike(
    model: Model, at_16_khz: list[Path], as_they_are: list[Prediction], tmp_path: Path, rate: int
) -> None:
    """No genre's score differs by more than 0.02."""
    for path, expected in zip(at_16_khz, as_they_are, strict=True):
        samples = soxr.resample(soundfile.read(path, dtype="float32")[0], 16_000, rate)
        soundfile.write(tmp_path / "clip.wav", np.stack([samples, samples], 1), rate, subtype="FLOAT")
        actual = hear(model, tmp_path / "clip.wav")
        np.testing.assert_allclose(actual.posterior, expected.posterior, atol=0.02, err_msg=path.name)


def test_a_long_track_keeps_the_genre_of_its_clip(
    model: Model, at_16_khz: list[Path], as_they_are: list[Prediction], tmp_path: Path
) -> None:
    """A clip over and over for four minutes has other windows; a genre that was sure of itself stays the first."""
    sure = [(path, heard) for path, heard in zip(at_16_khz, as_they_are, strict=True) if heard.posterior.max() > SURE]
    assert 5 <= len(sure)
    for path, expected in sure:
        samples = soundfile.read(path, dtype="float32")[0]
        soundfile.write(tmp_path / "long.wav", np.resize(samples, 240 * 16_000), 16_000, subtype="PCM_16")
        assert expected.posterior.argmax() == hear(model, tmp_path / "long.wav").posterior.argmax(), path.name


def test_judged_by_the_stored_tags(gtzan: Path) -> None:
    """The 443 tracks that it learnt from are known to it, and it says that it learnt from them."""
    options = ["--model", "segue-accurate", "--tags", str(gtzan / TAGS), "--split", "fault-filtered", "--side", "train"]
    figures = json.loads(CliRunner().invoke(main, ["evaluate", *options, "--json"], catch_exceptions=False).stdout)
    assert (443, 443) == (figures["n"], figures["learnt_from"])
    assert figures["accuracy"] > 0.85
