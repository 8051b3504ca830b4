"""Commands without ``--model`` use the model that built the catalogue."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from segue.core.model.artifact import read_manifest
from tests.helpers.indexer import run, run_json, write_library


@pytest.fixture
def music(tmp_path: Path, other_model: Path) -> Path:
    """Two clips, which ``other_model`` indexed into the folder "data"."""
    music = write_library(tmp_path / "music", clips=2, seconds=3.5)
    ended = run("add", music, "--data", tmp_path / "data", "--model", other_model)
    assert 0 == ended.exit_code, ended.stderr
    return music


def test_no_command_needs_the_model(tmp_path: Path, music: Path, tiny_model: Path, other_model: Path) -> None:
    """After the first run, and after a reindex, every command uses the catalogue's model, and says so."""
    data = tmp_path / "data"
    for model in (other_model, tiny_model):
        model_id = read_manifest(model).model_id
        for command in (("add", music), ("add", music, "--dry-run"), ("sync", music), ("reindex",)):
            assert model_id == run_json(*command, "--data", data)["model"]
        assert f"Catalogue: 2 tracks, model {model_id}." in run("add", music, "--data", data).stdout
        if model is other_model:
            assert 0 == run("reindex", "--model", tiny_model, "--data", data).exit_code


def test_another_model_is_still_refused(tmp_path: Path, music: Path, tiny_model: Path) -> None:
    """A model that is named is used, and must be that of the catalogue."""
    ended = run("add", music, "--data", tmp_path / "data", "--model", tiny_model, "--json")
    assert (1, "CATALOGUE_MISMATCH") == (ended.exit_code, json.loads(ended.stdout)["error"]["reason"])


def test_a_model_that_is_gone(tmp_path: Path, music: Path, other_model: Path) -> None:
    """A catalogue whose model is not here any more is reported in a sentence, and nothing is changed."""
    model_id = read_manifest(other_model).model_id
    shutil.rmtree(other_model)
    ended = run("add", music, "--data", tmp_path / "data")
    expected = (
        f"segue-indexer: The catalogue was built by the model {model_id}, which is not here. Name its folder with"
    )
    assert (1, f"{expected} --model.\n") == (ended.exit_code, ended.stderr)


def test_the_default_model(tmp_path: Path, music: Path) -> None:
    """Without a catalogue, a dry run uses the default model."""
    assert run_json("add", music, "--dry-run", "--data", tmp_path / "new")["model"].startswith("segue-accurate-")


def test_a_mistyped_model(tmp_path: Path, music: Path) -> None:
    """The error has the nearest name of a model that ships, and all of them; Redis is not started."""
    ended = run("add", music, "--data", tmp_path / "new", "--model", "segue-fats")
    assert 1 == ended.exit_code
    assert "There is no model in segue-fats: manifest.json cannot be read. Did you mean segue-fast?" in ended.stderr
    assert "a model that ships with Segue: segue-accurate, segue-fast." in ended.stderr
    assert not (tmp_path / "new").exists()
