from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.core.model.artifact import read_manifest
from segue.core.model.saved_model import Model
from segue.trainer.export.artifact import _put


def folder(path: Path, text: str) -> Path:
    """A folder with a file of this text."""
    path.mkdir()
    (path / "manifest.json").write_text(text)
    return path


def test_an_older_artifact_makes_way(tmp_path: Path) -> None:
    """The new one stands in its place."""
    fresh, place = folder(tmp_path / "fresh", "new"), folder(tmp_path / "place", "old")
    _put(fresh, place, tmp_path / "older")
    assert ("new", "old") == tuple((tmp_path / part / "manifest.json").read_text() for part in ("place", "older"))


def test_an_older_artifact_comes_back(tmp_path: Path) -> None:
    """Where the new one cannot be moved, the old one stands where it stood."""
    place = folder(tmp_path / "place", "old")
    with pytest.raises(FileNotFoundError):
        _put(tmp_path / "missing", place, tmp_path / "older")
    assert "old" == (place / "manifest.json").read_text()
    assert [place] == list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_model_id(write_archive: Callable[..., Path], tmp_path: Path) -> None:
    """In two processes, byte for byte, and the network is loaded with its settled fingerprint."""
    options = ["train", "--input", str(write_archive()), "--network", "paper-cnn", "--epochs", "1", "--output"]
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
    assert one.model_id == Model.load(outputs[0]).manifest.model_id
