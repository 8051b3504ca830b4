"""The whole path, with the shipped model: the server runs first, the indexer adds clips, the client calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import run
from tests.helpers.machine.waiting import wait_until


@pytest.fixture(scope="module")
def added(data: Path, server: str, clips: list[Path]) -> dict[str, Any]:
    """The indexer's report of adding twenty clips, which the running server has loaded."""
    report: dict[str, Any] = json.loads(run("segue-indexer", "add", "--json", "--data", data, *clips))
    wait_until(lambda: 20 == json.loads(run("segue", "--json", "status", SEGUE_ADDRESS=server))["track_count"])
    return report


def test_every_clip_is_added(added: dict[str, Any]) -> None:
    """The indexer adds all clips, and none fails."""
    assert (20, 0) == (added["added"], added["failed"])


@pytest.mark.usefixtures("added")
def test_a_clip_is_classified(server: str, clips: list[Path]) -> None:
    """The scores of a clip's genres add up to 1."""
    (result,) = json.loads(run("segue", "--json", "classify", clips[0], SEGUE_ADDRESS=server))["results"]
    assert pytest.approx(1, abs=1e-4) == sum(score["score"] for score in result["scores"])


@pytest.mark.usefixtures("added")
def test_tracks_are_recommended(server: str, clips: list[Path]) -> None:
    """As many tracks as requested are recommended, and the clip itself is not among them."""
    answer = json.loads(run("segue", "--json", "recommend", clips[0], "--limit", "5", SEGUE_ADDRESS=server))
    titles = [entry["track"]["title"] for entry in answer["recommendations"]]
    assert 5 == len(titles)
    assert clips[0].stem not in titles


@pytest.mark.usefixtures("added")
def test_a_second_run_decodes_nothing(data: Path, clips: list[Path]) -> None:
    """A second run of the indexer decodes no file that has not changed."""
    again = json.loads(run("segue-indexer", "add", "--json", "--data", data, *clips))
    assert (0, 20, 0) == (again["added"], again["unchanged"], again["decoded"])


@pytest.mark.usefixtures("added")
def test_tables_for_people(server: str, clips: list[Path]) -> None:
    """Without --json the client prints tables."""
    assert "score" in run("segue", "classify", clips[0], SEGUE_ADDRESS=server).lower()
    assert clips[1].stem in run("segue", "recommend", clips[0], "--limit", "20", SEGUE_ADDRESS=server)


def test_errors_are_sentences(server: str, tmp_path: Path) -> None:
    """A failure ends with exit code 1 and a sentence that names its cause."""
    text = tmp_path / "notes.wav"
    text.write_text("This is not music.\n" * 100)
    assert "not audio" in run("segue", "classify", text, status=1, SEGUE_ADDRESS=server)
    assert "not audio" in run("segue-indexer", "add", "--data", tmp_path / "data", text, status=1)
    assert "127.0.0.1:1" in run("segue", "status", "--no-wait", status=1, SEGUE_ADDRESS="127.0.0.1:1")
