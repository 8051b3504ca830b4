from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.core.catalogue.identity import Identity
from segue.core.failpoints import Failpoint
from segue.core.model.artifact import read_manifest
from segue.core.redis_catalogue.open import open_store
from tests.helpers.indexer import PROGRAM, killed_at, run, run_json, write_library

CLIPS = 40


@pytest.fixture
def data(tmp_path: Path, tiny_model: Path) -> Path:
    """The data folder of a catalogue of forty clips and a file without audio."""
    music = write_library(tmp_path / "music", CLIPS, seconds=3.0)
    (music / "no-music.flac").write_bytes(b"no music")
    assert 0 == run("add", music, "--data", tmp_path / "data", "--model", tiny_model).exit_code
    return tmp_path / "data"


def identity(data: Path) -> Identity:
    """Returns the identity of the catalogue."""
    with open_store(data) as store:
        identity = store.identity()
    assert identity is not None
    return identity


def test_a_catalogue_changes_its_model(data: Path, other_model: Path, tmp_path: Path) -> None:
    """Every file is indexed again, also the failed one; the new catalogue has an index, and the old one is gone."""
    before = identity(data)
    options = ("--data", data, "--model", other_model)
    assert f"{CLIPS + 1} added" in run("reindex", *options, "--dry-run").stdout
    assert before == identity(data)
    report = run_json("reindex", *options)

    assert (CLIPS, CLIPS, CLIPS, 1) == (report["tracks"], report["added"], report["decoded"], report["failed"])
    after = identity(data)
    assert (read_manifest(other_model).model_id, False) == (after.model_id, before.uuid == after.uuid)
    assert (0, "") == ((verified := run("verify", "--data", data)).exit_code, verified.stderr)
    assert f"{CLIPS} unchanged" in run("add", tmp_path / "music", *options).stdout


@pytest.mark.parametrize("stage", ["after-commit:2", Failpoint.BEFORE_SWITCH, Failpoint.AFTER_SWITCH])
def test_killed_in_the_middle(data: Path, other_model: Path, stage: str) -> None:
    """The old catalogue stays whole until all files are indexed; the next run indexes only the remaining ones."""
    before = identity(data)
    command = ("reindex", "--data", data, "--model", other_model)
    killed_at(stage, [*PROGRAM, *map(str, command)])

    switched = stage == Failpoint.AFTER_SWITCH
    assert switched == (before != identity(data))
    status = run_json("status", "--data", data)
    assert switched == (status["staging"] is None)
    if not switched:
        assert 0 == run("verify", "--data", data).exit_code
        finished = {"after-commit:2": 32, Failpoint.BEFORE_SWITCH: CLIPS}[stage]
        report = run_json(*command)
        assert (finished, CLIPS - finished, CLIPS) == (report["unchanged"], report["decoded"], report["tracks"])
    else:
        assert 0 == run("rebuild", "--data", data).exit_code
    assert 0 == run("verify", "--data", data).exit_code


def test_unfinished_work_of_another_model_is_discarded(data: Path, other_model: Path, tiny_model: Path) -> None:
    """A run with a third model indexes every file."""
    killed_at("after-commit:1", [*PROGRAM, "reindex", "--data", str(data), "--model", str(other_model)])
    report = run_json("reindex", "--data", data, "--model", tiny_model)

    assert (0, CLIPS, CLIPS) == (report["unchanged"], report["decoded"], report["tracks"])


def test_removed_files_do_not_come_back(data: Path, other_model: Path, tmp_path: Path) -> None:
    """A track that is removed and a file that is deleted after an unfinished run are not in the new catalogue."""
    clips = sorted((tmp_path / "music").glob("[0-9]*"))
    reindex = ["reindex", "--data", str(data), "--model", str(other_model), "--allow-failures", "1"]
    killed_at(Failpoint.BEFORE_SWITCH, [*PROGRAM, *reindex])
    assert 0 == run("remove", clips[0], "--data", data).exit_code
    clips[1].unlink()

    report = run_json(*reindex)

    assert (0, 1, 1, CLIPS - 2) == (report["decoded"], report["forgotten"], report["removed"], report["tracks"])
    with open_store(data) as store:
        assert [None, None] == store.files([str(clip) for clip in clips[:2]])
    assert 0 == run("verify", "--data", data).exit_code


def test_a_missing_disk_does_not_lose_tracks(data: Path, other_model: Path, tmp_path: Path) -> None:
    """If more than a fifth of the files are missing, the old catalogue stays unless --allow-removals is given."""
    before = identity(data)
    for clip in sorted((tmp_path / "music").iterdir())[:10]:
        clip.unlink()
    command = ("reindex", "--data", data, "--model", other_model, "--allow-failures", "1")
    refused = run(*command, "--json")
    assert (1, "REMOVAL_REFUSED") == (refused.exit_code, json.loads(refused.stdout)["error"]["reason"])
    assert f"it would lose 10 of {CLIPS} tracks." in refused.stderr
    assert before == identity(data)

    assert 0 == run(*command, "--allow-removals").exit_code
    assert 0 == run("verify", "--data", data).exit_code
    with open_store(data) as store:
        assert CLIPS - 10 == store.count()
