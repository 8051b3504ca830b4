"""A data folder and a backup as the first version wrote them: later versions must give the same answers from them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.servers import running_server

GOLDEN = Path(__file__).parents[1] / "golden" / "catalogue"
ANSWERS = json.loads((GOLDEN / "answers.json").read_text(encoding="utf-8"))
MODEL_ID = "segue-fast-270313e4"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the golden data folder."""
    for part in ("redis", "snapshots"):
        shutil.copytree(GOLDEN / part, tmp_path / part)
    return tmp_path


def _indexer(*arguments: str | Path) -> dict[str, Any]:
    command: list[str | Path] = [Path(sys.executable).with_name("segue-indexer"), *arguments, "--json"]
    printed: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return printed


def _client(address: str, *arguments: str) -> dict[str, Any]:
    command: list[str | Path] = [Path(sys.executable).with_name("segue"), "--json", "--address", address, *arguments]
    ended = subprocess.run(command, capture_output=True, check=True)
    printed: dict[str, Any] = json.loads(ended.stdout)
    return printed


def test_the_golden_catalogue_agrees_with_itself(data: Path) -> None:
    """Redis, events and snapshots are read, and nothing is found wrong with them."""
    assert [] == _indexer("verify", "--data", data)["problems"]
    status = _indexer("status", "--data", data)
    assert (7, 9, MODEL_ID) == (status["tracks"], status["revision"], status["catalogue"]["model_id"])
    assert {"revision": 9, "tracks": 7} == status["index"]
    assert {"AUDIO_UNDECODABLE": 1} == status["failed"]


def test_the_golden_backup_is_restored(tmp_path: Path) -> None:
    """A backup of the first version becomes a catalogue with the same tracks."""
    assert 7 == _indexer("restore", GOLDEN / "backup.segue", "--data", tmp_path)["tracks"]
    assert [] == _indexer("verify", "--data", tmp_path)["problems"]


def test_the_golden_catalogue_is_served(data: Path) -> None:
    """The server lists and recommends the same tracks, with the same similarities."""
    with running_server("--data", str(data), "--model", "segue-fast") as server:
        assert ANSWERS["tracks"] == _client(server.address, "tracks")["tracks"]
        answer = _client(server.address, "recommend", ANSWERS["seed"], "--limit", "6")
    found = {item["track"]["track_id"]: item["similarity"] for item in answer["recommendations"]}
    assert [track for track, _ in ANSWERS["recommendations"]] == list(found)
    assert pytest.approx(dict(ANSWERS["recommendations"]), abs=1e-5) == found
