from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import run
from tests.helpers.waiting import wait_until


@pytest.fixture(scope="module")
def added(data: Path, server: str, clips: list[Path]) -> dict[str, Any]:
    """What the indexer says when it adds twenty clips; the server, which runs already, has seen them a moment later."""
    report: dict[str, Any] = json.loads(run("segue-indexer", "add", "--json", "--data", data, *clips))
    wait_until(lambda: "20" == json.loads(run("segue", "--json", "status", SEGUE_ADDRESS=server))["track_count"])
    return report


def test_music_in_genres_and_recommendations_out(server: str, added: dict[str, Any], clips: list[Path]) -> None:
    """The whole path: the server runs first, the indexer adds to it, the client asks, with the model that ships."""
    assert (20, 0) == (added["added"], added["failed"])

    (heard,) = json.loads(run("segue", "--json", "classify", clips[0], SEGUE_ADDRESS=server))["results"]
    assert abs(sum(score["score"] for score in heard["scores"]) - 1) < 1e-4

    found = json.loads(run("segue", "--json", "recommend", clips[0], "--limit", "5", SEGUE_ADDRESS=server))
    assert 5 == len(found["recommendations"])
    assert clips[0].stem not in {entry["track"]["title"] for entry in found["recommendations"]}


@pytest.mark.usefixtures("added")
def test_a_second_run_decodes_nothing(data: Path, clips: list[Path]) -> None:
    """Run again, the indexer only looks at the files."""
    again = json.loads(run("segue-indexer", "add", "--json", "--data", data, *clips))
    assert (0, 20, 0) == (again["added"], again["unchanged"], again["decoded"])


@pytest.mark.usefixtures("added")
def test_tables_for_people(server: str, clips: list[Path]) -> None:
    """Without --json the answers are tables that a person can read."""
    assert "score" in run("segue", "classify", clips[0], SEGUE_ADDRESS=server).lower()
    assert clips[1].stem in run("segue", "recommend", clips[0], "--limit", "20", SEGUE_ADDRESS=server)


def test_errors_are_sentences(server: str, tmp_path: Path) -> None:
    """What cannot be answered is said in a sentence, with a status that programs see."""
    text = tmp_path / "notes.wav"
    text.write_text("This is not music.\n" * 100)
    assert "not audio" in run("segue", "classify", text, status=1, SEGUE_ADDRESS=server)
    assert "not audio" in run("segue-indexer", "add", "--data", tmp_path / "data", text, status=1)
    assert "127.0.0.1:1" in run("segue", "status", status=1, SEGUE_ADDRESS="127.0.0.1:1")
