"""The command ``segue-trainer train``, from an archive to an artifact."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.features.windows import Windows
from segue.core.model.artifact import read_manifest
from segue.core.model.load_model import load_model
from segue.trainer.cli.main import main
from segue.trainer.data.tag_file import WindowTags, write_tag_file
from segue.trainer.networks.paper import CNN
from segue.trainer.reporting.run_record import read_record
from tests.helpers.machine.file_opens import count_opens
from tests.helpers.trainer.training_data import write_noise_archive


class Trained(NamedTuple):
    """A run of the command: its artifact, and how often it opened the archive."""

    artifact: Path
    opens: int


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A network of the paper that was trained for one epoch."""
    folder = tmp_path_factory.mktemp("trained")
    archive = write_noise_archive(folder / "archive.npz")
    options = ["--input", str(archive), "--network", CNN, "--epochs", "1", "--output", str(folder / "cnn")]
    with count_opens(archive) as opens:
        result = CliRunner().invoke(main, ["train", *options], catch_exceptions=False)
    assert 0 == result.exit_code, result.stderr
    return Trained(folder / "cnn", opens.count)


def test_a_paper_network_is_served_like_any_other(trained: Trained) -> None:
    """One command makes an artifact that the server's loader accepts; the card names the layer of the embedding."""
    assert read_manifest(trained.artifact).model_id.startswith("paper-cnn-")
    windows = Windows(np.zeros((3, 128, 39), np.float32), np.zeros(3))
    (prediction,) = load_model(trained.artifact).predict([windows])
    assert (64,) == prediction.embedding.shape
    record = read_record(trained.artifact)
    assert record
    assert (CNN, 1, 0) == (record.network, record.epochs, record.plan["seed"])
    assert {"loss", "accuracy", "log_loss", "val_log_loss"} <= set(record.history)
    assert "last hidden layer" in (trained.artifact / "model-card.md").read_text()


def test_the_input_is_read_once(trained: Trained) -> None:
    """Neither the checks before the training nor the evaluation after it reads the archive again."""
    assert 1 == trained.opens


def test_the_same_seed_gives_the_same_model_id(write_archive: Callable[..., Path], tmp_path: Path) -> None:
    """Two processes write the same bytes, and the network is loaded with its fixed fingerprint."""
    options = ["train", "--input", str(write_archive()), "--network", CNN, "--epochs", "1", "--output"]
    outputs = [tmp_path / "one", tmp_path / "other"]
    for output in outputs:
        subprocess.run([sys.executable, "-m", "segue.trainer", *options, output], check=True, capture_output=True)
    one, other = map(read_manifest, outputs)
    assert one.model_id == other.model_id
    networks = [
        {path: digest for path, digest in manifest.files.items() if path.startswith("saved_model/")}
        for manifest in (one, other)
    ]
    assert networks[0] == networks[1]
    assert one.model_id == load_model(outputs[0]).manifest.model_id


def test_a_run_with_a_teacher_serves_the_same_widths(write_archive: Callable[..., Path], tmp_path: Path) -> None:
    """The card counts the clips with tags, and the features are as wide as those of a run without a teacher."""
    tracks = [f"{genre}.{number:05}" for genre in ("blues", "rock") for number in range(3)]
    tags = np.random.default_rng(0).random((2, 5), np.float32)
    write_tag_file(tmp_path / "tags.npz", dict.fromkeys(tracks, WindowTags(tags)))
    options = ["--input", str(write_archive()), "--tags", str(tmp_path / "tags.npz"), "--epochs", "1"]
    trained = CliRunner().invoke(main, ["train", *options, "--output", str(tmp_path / "out")], catch_exceptions=False)
    assert 0 == trained.exit_code, trained.stderr
    assert "4 of the training clips have tags" in trained.stderr
    assert "4 clips had tags of another network" in (tmp_path / "out" / "model-card.md").read_text()
    assert 96 + 2 == read_manifest(tmp_path / "out").feature_width
