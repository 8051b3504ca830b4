"""The log-mel trainer on real music: the archive has the features of the audio, and the shipped network its genres."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.core.features.log_mel import log_scale, mel_power
from segue.core.model.artifact import read_manifest
from segue.core.paths import resolve_model
from segue.trainer.cli.main import main
from segue.trainer.data.folder import extract_folder, list_folder
from segue.trainer.data.inputs import open_input
from segue.trainer.data.labelled_windows import cut_window

CONFIG = FeatureConfig()
ARCHIVE = "log_mel_train_valid.npz"


def test_features_of_the_archive_are_those_of_the_audio(gtzan: Path) -> None:
    """At the archive's frames, each clip differs by 0.2 dB on average at most.

    Clips of other rates are left out, since they were resampled and lost everything above 8 kHz.
    """
    deep = FeatureConfig(floor_db=-200.0)
    with np.load(gtzan / ARCHIVE) as archive:
        fields = {name: archive[name] for name in archive.files}
    row = {str(track): number for number, track in enumerate(fields["track"])}
    errors = {}
    for file in list_folder(gtzan / "audio"):
        if file.track not in row or soundfile.info(file.path).samplerate != CONFIG.sample_rate:
            continue
        number = row[file.track]
        samples = soundfile.read(file.path, dtype="float32")[0]
        every = np.arange(fields["n_frames"][number])
        decibels = log_scale(mel_power(samples, every, CONFIG), deep)[:, fields["frames"][number]]
        stored = fields["X"][number] * fields["scale_db"] + fields["offset_db"]
        errors[file.track] = float(np.abs(np.maximum(decibels, -80) - stored).mean())
    assert 80 <= len(errors)
    assert {} == {track: error for track, error in errors.items() if error > 0.2}


def test_windows_of_the_archive_are_those_of_the_audio(gtzan: Path) -> None:
    """Training and served windows of real clips differ by a median of 0.2 dB at most."""
    config = read_manifest(resolve_model("segue-fast")).features
    files = [
        file for file in list_folder(gtzan / "audio") if soundfile.info(file.path).samplerate == config.sample_rate
    ]
    tracks, _ = extract_folder(files[::8], config, 10, lambda results, total: results)
    archive = open_input(gtzan / ARCHIVE, config).read(
        {track.track for track in tracks}.__contains__, lambda r, total: r
    )
    stored = {clip.track: clip.decibels for clip in archive.clips}
    errors = [
        np.abs(cut_window(stored[track.track], start, config) - window).mean()
        for track in tracks
        if track.track in stored
        for start, window in zip(first_columns(track.windows.starts, config), track.windows.values, strict=True)
        if start + config.columns <= stored[track.track].shape[1]
    ]
    assert 80 <= len(errors)
    assert np.median(errors) <= 0.2


def first_columns(starts: NDArray[np.float64], config: FeatureConfig) -> list[int]:
    """The first columns of windows, from their seconds."""
    seconds = config.grid.frames(0, 400) * config.hop / config.sample_rate
    return [int(np.abs(seconds - start).argmin()) for start in starts]


def test_the_shipped_network_was_trained_on_the_validation_clips(gtzan: Path) -> None:
    """So its figures on the 197 validation clips of the split fault-filtered are better than those of its card."""
    options = ["--model", "segue-fast", "--input", str(gtzan / ARCHIVE), "--split", "fault-filtered", "--side", "valid"]
    result = CliRunner().invoke(main, ["evaluate", *options, "--json"], catch_exceptions=False)
    figures, metrics = json.loads(result.stdout), read_manifest(resolve_model("segue-fast")).metrics
    assert (197, 197, 0) == (figures["n"], figures["trained_on"], figures["selected_on"])
    assert figures["accuracy"] > metrics["accuracy_high"]
