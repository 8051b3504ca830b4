"""The command ``segue-trainer compare``, with trained networks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from segue.trainer.cli.main import main
from segue.trainer.splits.split import shipped_split


def run_command(command: str, archive: Path, *options: object) -> Result:
    """Runs a command of the trainer on an archive."""
    return CliRunner().invoke(main, [command, "--input", str(archive), *map(str, options)])


@pytest.fixture
def archive(write_archive: Callable[..., Path]) -> Path:
    """Noise under the names of 20 training and 20 validation tracks of the fault-filtered split."""
    split = shipped_split("fault-filtered")
    tracks = [
        [track for track in sorted(split.sides) if track.startswith(genre) and split.side(track) == side][place]
        for genre in ("blues", "rock")
        for side in ("train", "valid")
        for place in range(10)
    ]
    codes = np.random.default_rng(0).integers(0, 256, (len(tracks), 128, 387), np.uint8)
    return write_archive(X=codes, track=np.array(tracks), genre=np.array([track.split(".")[0] for track in tracks]))


def test_trained_networks_are_measured_once(archive: Path, tmp_path: Path) -> None:
    """Single and joined networks are on the page, and stay there when their models are gone."""
    runs, page = tmp_path / "runs", tmp_path / "docs" / "results.md"
    for network in ("paper-cnn", "paper-cnn-lstm"):
        output = runs / "fault-filtered" / f"{network}-s0"
        options = ("--split", "fault-filtered", "--network", network, "--epochs", 1, "--output", output)
        trained = run_command("train", archive, *options)
        assert 0 == trained.exit_code, trained.stderr
    folders = ("--runs", runs, "--results", tmp_path / "results", "--output", page)
    compared = run_command("compare", archive, *folders)
    assert 0 == compared.exit_code, compared.stderr
    text = page.read_text()
    for network in ("paper-cnn", "paper-cnn-lstm", "paper-cnn+paper-cnn-lstm"):
        assert f"| {network} | 0 (1, 2 UNMEASURED) |" in text
    assert "| paper-cnn-lstm-6s | 0, 1, 2 | UNMEASURED" in text
    assert (page.parent / "images" / "training-fault-filtered-paper-cnn.png").stat().st_size
    shutil.rmtree(runs)
    assert 0 == run_command("compare", archive, *folders).exit_code
    assert text == page.read_text()


def test_a_model_in_the_wrong_folder_is_refused(archive: Path, tmp_path: Path) -> None:
    """A model of another seed or of another split is named, and nothing is written."""
    model, page = tmp_path / "runs" / "fault-filtered" / "paper-cnn-s1", tmp_path / "results.md"
    network = ("--split", "fault-filtered", "--network", "paper-cnn", "--epochs", 1)
    assert 0 == run_command("train", archive, *network, "--output", model).exit_code
    options = ("--runs", tmp_path / "runs", "--results", tmp_path / "results", "--output", page)
    refused = run_command("compare", archive, *options)
    assert 1 == refused.exit_code
    assert "holds paper-cnn of seed 0, not paper-cnn of seed 1" in " ".join(refused.stderr.split())
    (tmp_path / "runs" / "chunk-random").mkdir()
    model.rename(tmp_path / "runs" / "chunk-random" / "paper-cnn-s0")
    refused = run_command("compare", archive, *options)
    assert 1 == refused.exit_code
    assert "was trained on the split" in refused.stderr
    assert not page.exists()
