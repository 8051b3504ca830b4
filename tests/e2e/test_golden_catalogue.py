"""A data folder and a backup that the first version wrote: later versions read them and return the same results."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from segue.core.redis_catalogue.client import connect
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.open import open_store
from tests.e2e.conftest import run
from tests.helpers.server.servers import running_server

GOLDEN = Path(__file__).parents[1] / "golden" / "catalogue"
# The model that built the catalogue, which has no twin for ONNX Runtime: TensorFlow runs it.
MODEL = GOLDEN.parent / "model"
ANSWERS = json.loads((GOLDEN / "answers.json").read_text(encoding="utf-8"))
MODEL_ID = "segue-fast-270313e4"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the golden data folder."""
    for part in ("redis", "snapshots"):
        shutil.copytree(GOLDEN / part, tmp_path / part)
    return tmp_path


def run_indexer(*arguments: str | Path) -> dict[str, Any]:
    """Runs a command of the indexer and returns its report."""
    printed: dict[str, Any] = json.loads(run("segue-indexer", *arguments, "--json"))
    return printed


def run_client(address: str, *arguments: str) -> dict[str, Any]:
    """Runs a command of the client and returns its result."""
    printed: dict[str, Any] = json.loads(run("segue", "--json", "--address", address, *arguments))
    return printed


def test_the_golden_catalogue_is_consistent(data: Path) -> None:
    """Redis, events and snapshots of the first version agree with each other."""
    assert [] == run_indexer("verify", "--data", data)["problems"]
    status = run_indexer("status", "--data", data)
    assert (7, 9, MODEL_ID) == (status["tracks"], status["revision"], status["catalogue"]["model_id"])
    assert {"revision": 9, "tracks": 7} == status["index"]
    assert {"AUDIO_UNDECODABLE": 1} == status["failed"]


def test_the_golden_backup_is_restored(tmp_path: Path) -> None:
    """A backup of the first version restores the same tracks."""
    assert 7 == run_indexer("restore", GOLDEN / "backup.segue", "--data", tmp_path)["tracks"]
    assert [] == run_indexer("verify", "--data", tmp_path)["problems"]


def test_the_golden_catalogue_is_switched(data: Path) -> None:
    """A catalogue whose keys have no generation is replaced by one that has, and nothing of it is left."""
    with open_store(data) as store:
        before = store.state()
        assert 7 == run_indexer("restore", GOLDEN / "backup.segue", "--data", data, "--replace")["tracks"]
        after = store.state()
        with closing(connect(store.address)) as client:
            keys = set(client.scan_iter(match="{segue:0}:*"))
    assert (7, 7, False) == (before.tracks, after.tracks, before.identity == after.identity)
    assert {RedisKeys().writer, RedisKeys().live} == keys
    assert [] == run_indexer("verify", "--data", data)["problems"]


def test_the_golden_catalogue_is_served(data: Path) -> None:
    """The server lists and recommends the same tracks, with the same similarities."""
    with running_server("--data", str(data), "--model", str(MODEL)) as server:
        tracks = run_client(server.address, "tracks")["tracks"]
        answer = run_client(server.address, "recommend", ANSWERS["seed"], "--limit", "6")
    # Fields that came later are empty.
    expected = [{**track, "duration": float(track["duration"].rstrip("s"))} for track in ANSWERS["tracks"]]
    assert expected == [{name: track[name] for name in expected[0]} for track in tracks]
    assert ([], 0, "") == (tracks[0]["artists"], tracks[0]["track_number"], tracks[0]["isrc"])
    similarities = {item["track"]["track_id"]: item["similarity"] for item in answer["recommendations"]}
    assert [track for track, _ in ANSWERS["recommendations"]] == list(similarities)
    assert pytest.approx(dict(ANSWERS["recommendations"]), abs=1e-5) == similarities
