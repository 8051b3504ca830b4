"""A server without ``--model`` uses the model that built the catalogue."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from segue.core.model.artifact import read_manifest
from segue.core.model.known_models import remember_model
from tests.helpers.clips import Fill, wav
from tests.helpers.machine.waiting import PATIENCE_SECONDS
from tests.helpers.server.servers import run_doctor, running_server
from tests.helpers.server.stubs import Stubs


@pytest.fixture
def filled(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> Path:
    """A data folder with a catalogue of two tracks by the tiny model, which is remembered as the indexer does."""
    fill(tmp_path / "data", clips[:2])
    remember_model(tmp_path / "data", tiny_model, read_manifest(tiny_model).model_id)
    return tmp_path / "data"


def test_the_model_of_the_catalogue(filled: Path, tiny_model: Path) -> None:
    """The server and its doctor use it; the private Redis ends with the server."""
    with running_server("--data", str(filled)) as server:
        status = Stubs(server.address).status()
        assert (read_manifest(tiny_model).model_id, 2) == (status.revision.model_id, status.track_count)
    assert not (filled / "redis" / "redis.sock").exists()
    _, results = run_doctor("--data", filled, "--listen", "127.0.0.1:0")
    assert ("ok", "ok") == (results["model"].level, results["catalogue"].level)
    assert read_manifest(tiny_model).model_id in results["model"].text


def test_while_redis_is_away(filled: Path, tiny_model: Path) -> None:
    """Without an answer of Redis, the newest snapshot says which model it was, and the log says so."""
    with running_server("--data", str(filled), "--redis", "redis://127.0.0.1:1") as server:
        assert read_manifest(tiny_model).model_id == Stubs(server.address).classify(wav(5)).revision.model_id
        assert "The model is that of the newest snapshot." in server.log


def test_a_model_that_is_gone(filled: Path, tiny_model: Path) -> None:
    """The server and its doctor name the model in a sentence."""
    shutil.rmtree(filled / "models")
    sentence = (
        f"built by the model {read_manifest(tiny_model).model_id}, which is not here. Name its folder with --model."
    )
    command = [sys.executable, "-m", "segue.server", "--listen", "127.0.0.1:0", "--data", str(filled)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert (1, True, False) == (ended.returncode, sentence in ended.stderr, "Traceback" in ended.stderr)
    _, results = run_doctor("--data", filled, "--listen", "127.0.0.1:0")
    assert ("fail", True) == (results["model"].level, sentence in results["model"].text)
