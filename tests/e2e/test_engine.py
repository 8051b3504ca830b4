"""Indexing, serving and classifying by each engine, with one catalogue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import run
from tests.helpers.server.servers import running_server


def classified(data: Path, engine: str, clip: Path) -> dict[str, Any]:
    """Serves a catalogue by an engine, checks its tracks, and classifies a clip."""
    with running_server("--data", str(data), "--model", "segue-fast", "--engine", engine) as server:
        tracks = json.loads(run("segue", "--json", "--address", server.address, "tracks"))["tracks"]
        assert 2 == len(tracks)
        command = ("segue", "--json", "--address", server.address, "classify", "--embedding", clip)
        (result,) = json.loads(run(*command))["results"]
    return result  # type: ignore[no-any-return]  # JSON


def test_one_catalogue_for_both_engines(tmp_path: Path, clips: list[Path]) -> None:
    """A catalogue that TensorFlow built is served by ONNX Runtime, and clips have the same genres and embeddings."""
    for clip in clips[:2]:
        run("segue-indexer", "add", clip, "--data", tmp_path, "--model", "segue-fast", "--engine", "tensorflow")
    onnx, tensorflow = (classified(tmp_path, engine, clips[2]) for engine in ("onnx", "tensorflow"))
    assert pytest.approx(tensorflow["embedding"], abs=1e-5) == onnx["embedding"]
    assert [score["genre"] for score in tensorflow["scores"]] == [score["genre"] for score in onnx["scores"]]


def test_the_doctor_names_the_engine(tmp_path: Path) -> None:
    """It says which engine loaded the model."""
    options = ("--data", tmp_path, "--model", "segue-fast", "--listen", "127.0.0.1:0")
    assert "by ONNX Runtime, from" in run("segue-server", "doctor", *options)
