"""The command ``segue-trainer compare``, with a trained network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from segue.trainer.cli.main import main
from segue.trainer.splits.split import shipped_split


def test_measured_networks_are_on_the_page(write_archive: Callable[..., Path], tmp_path: Path) -> None:
    """Missing artifacts are UNMEASURED; those of another seed or another split are refused."""
    split = shipped_split("fault-filtered")
    tracks = [
        [track for track in sorted(split.sides) if track.startswith(genre) and split.side(track) == side][place]
        for genre in ("blues", "rock")
        for side in ("train", "valid")
        for place in range(10)
    ]
    codes = np.random.default_rng(0).integers(0, 256, (len(tracks), 128, 387), np.uint8)
    genres = np.array([track.split(".")[0] for track in tracks])
    archive = write_archive(X=codes, track=np.array(tracks), genre=genres)
    run, output = tmp_path / "runs" / "fault-filtered" / "paper-cnn-s0", tmp_path / "results.md"
    options = ["--input", str(archive), "--split", "fault-filtered", "--network", "paper-cnn", "--epochs", "1"]
    trained = CliRunner().invoke(main, ["train", *options, "--output", str(run)], catch_exceptions=False)
    assert 0 == trained.exit_code, trained.stderr
    compare = ["compare", "--input", str(archive), "--runs", str(tmp_path / "runs"), "--output", str(output)]
    assert 0 == CliRunner().invoke(main, compare, catch_exceptions=False).exit_code
    text = output.read_text()
    assert "| paper-cnn | 0 (1, 2 UNMEASURED) |" in text
    assert "| paper-cnn-lstm | 0, 1, 2 | UNMEASURED" in text
    misplaced = run.rename(run.with_name("paper-cnn-s1"))
    refused = CliRunner().invoke(main, compare)
    assert 1 == refused.exit_code
    assert "holds paper-cnn of seed 0, not paper-cnn of seed 1" in " ".join(refused.stderr.split())
    misplaced.rename(tmp_path / "runs" / "other")
    (tmp_path / "runs" / "chunk-random").mkdir()
    (tmp_path / "runs" / "other").rename(tmp_path / "runs" / "chunk-random" / "paper-cnn-s0")
    refused = CliRunner().invoke(main, compare)
    assert 1 == refused.exit_code
    assert "was trained on the split" in refused.stderr
