"""segue-accurate on real music: its tags equal MusiCNN's own, and neither rate nor length changes a genre."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner

from segue.core.audio.decode import read_audio
from segue.core.features.extract import extract
from segue.core.features.window_features import window_power
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model, Prediction
from segue.core.paths import resolve_model
from segue.trainer.accurate.tags import read_tags
from segue.trainer.arrays import Floats
from segue.trainer.cli.main import main
from segue.trainer.data.folder import AudioFile, list_folder

TAGS = "musicnn_tags_train.npz"
HOP = 61  # columns between the stored windows of a track
NEAR_THE_SERVED = (0, 7, 14, 21, 27)
CONFIDENT = 0.6


@pytest.fixture(scope="module")
def model() -> Model:
    """The network that ships."""
    return load_model(resolve_model("segue-accurate"))


@pytest.fixture(scope="module")
def at_16_khz(gtzan: Path) -> list[Path]:
    """The eight real clips at 16 kHz, the network's own rate."""
    files = sorted((gtzan / "audio").glob("*/*.flac"))
    clips = [path for path in files if soundfile.info(path).samplerate == 16_000]
    assert 8 == len(clips)
    return clips


@pytest.fixture(scope="module")
def as_they_are(model: Model, at_16_khz: list[Path]) -> list[Prediction]:
    """Predictions for those clips."""
    return [predict_file(model, path) for path in at_16_khz]


def predict_file(model: Model, path: Path) -> Prediction:
    """Predicts a file on the same path as the server."""
    (prediction,) = model.predict([extract(path, model.manifest.features, model.manifest.windows).windows])
    return prediction


def test_tags_equal_the_stored_ones(gtzan: Path, model: Model) -> None:
    """The mean tags of five windows of each real training clip correlate by 0.99 or more with MusiCNN's own.

    The stored windows are 61 columns apart. Those nearest to the served ones are compared, at exactly their columns,
    since single tags change more over a third of a second than by any rounding.
    """
    stored = {track.track: track.tags for track in read_tags(gtzan / TAGS)}
    files = [file for file in list_folder(gtzan / "audio") if file.track in stored]
    assert 41 == len(files)
    correlations = {file.track: correlation(model, file, stored[file.track]) for file in files}
    assert {} == {track: value for track, value in correlations.items() if value < 0.99}


def correlation(model: Model, file: AudioFile, stored: Floats) -> float:
    """Correlates the computed with the stored mean tags of five windows."""
    config = model.manifest.features
    windows = read_audio(
        file.path,
        config.sample_rate,
        lambda source: [window_power(source, config, HOP * place) for place in NEAR_THE_SERVED],
    )
    tags = model.encode(np.stack([window.scaled(1.0, config) for window in windows]))[:, : len(model.manifest.tags)]
    return float(np.corrcoef(tags.mean(0), stored[list(NEAR_THE_SERVED)].mean(0))[0, 1])


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_another_rate_in_stereo_has_the_same_genres(
    model: Model, at_16_khz: list[Path], as_they_are: list[Prediction], tmp_path: Path, rate: int
) -> None:
    """No probability differs by more than 0.02."""
    for path, expected in zip(at_16_khz, as_they_are, strict=True):
        samples = soxr.resample(soundfile.read(path, dtype="float32")[0], 16_000, rate)
        soundfile.write(tmp_path / "clip.wav", np.stack([samples, samples], 1), rate, subtype="FLOAT")
        actual = predict_file(model, tmp_path / "clip.wav")
        np.testing.assert_allclose(actual.posterior, expected.posterior, atol=0.02, err_msg=path.name)


def test_a_long_track_keeps_the_genre_of_its_clip(
    model: Model, at_16_khz: list[Path], as_they_are: list[Prediction], tmp_path: Path
) -> None:
    """A clip that is repeated for four minutes has other windows; a genre above 0.6 stays the first."""
    pairs = zip(at_16_khz, as_they_are, strict=True)
    confident = [(path, prediction) for path, prediction in pairs if prediction.posterior.max() > CONFIDENT]
    assert 5 <= len(confident)
    for path, expected in confident:
        samples = soundfile.read(path, dtype="float32")[0]
        soundfile.write(tmp_path / "long.wav", np.resize(samples, 240 * 16_000), 16_000, subtype="PCM_16")
        assert expected.posterior.argmax() == predict_file(model, tmp_path / "long.wav").posterior.argmax(), path.name


def test_the_network_is_right_on_its_training_tracks(gtzan: Path) -> None:
    """It was trained on 443 tracks, and the figures count them as leakage."""
    options = ["--model", "segue-accurate", "--tags", str(gtzan / TAGS), "--split", "fault-filtered", "--side", "train"]
    figures = json.loads(CliRunner().invoke(main, ["evaluate", *options, "--json"], catch_exceptions=False).stdout)
    assert (443, 443) == (figures["n"], figures["trained_on"])
    assert figures["accuracy"] > 0.85
