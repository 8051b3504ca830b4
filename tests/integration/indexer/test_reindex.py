from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.core.catalogue.records import Identity
from segue.core.failpoints import Failpoint
from segue.core.model.artifact import read_manifest
from segue.core.redis_catalogue.open import open_store
from tests.helpers.indexer import PROGRAM, killed_at, run, write_library

CLIPS = 40


@pytest.fixture
def data(tmp_path: Path, tiny_model: Path) -> Path:
    """A catalogue of forty clips, and a file that is none."""
    music = write_library(tmp_path / "music", CLIPS, seconds=3.0)
    (music / "no-music.flac").write_bytes(b"no music")
    assert 1 == run("add", music, "--data", tmp_path / "data", "--model", tiny_model).exit_code
    return tmp_path / "data"


def identity(data: Path) -> Identity:
    """What the catalogue is."""
    with open_store(data) as store:
        found = store.identity()
    assert found is not None
    return found


def test_a_catalogue_goes_over_to_another_model(data: Path, other_model: Path, tmp_path: Path) -> None:
    """Every file is heard again, the bad one too; the catalogue is the other model's, with an index, and no old one."""
    before = identity(data)
    options = ("--data", data, "--model", other_model)
    assert f"{CLIPS + 1} added" in run("reindex", *options, "--dry-run").stdout
    assert before == identity(data)
    done = json.loads(run("reindex", *options, "--json").stdout)

    assert (CLIPS, CLIPS, CLIPS, 1) == (done["tracks"], done["added"], done["decoded"], done["failed"])
    after = identity(data)
    assert (read_manifest(other_model).model_id, False) == (after.model_id, before.uuid == after.uuid)
    assert (0, "") == ((verified := run("verify", "--data", data)).exit_code, verified.stderr)
    assert f"{CLIPS} unchanged" in run("add", tmp_path / "music", *options).stdout


@pytest.mark.parametrize("stage", ["after-commit:2", Failpoint.BEFORE_SWITCH, Failpoint.AFTER_SWITCH])
def test_killed_in_the_middle(data: Path, other_model: Path, stage: str) -> None:
    """Until all is heard the old catalogue is whole; the next run hears only what is left."""
    before = identity(data)
    command = ("reindex", "--data", data, "--model", other_model)
    killed_at(stage, [*PROGRAM, *map(str, command)])

    switched = stage == Failpoint.AFTER_SWITCH
    assert switched == (before != identity(data))
    status = json.loads(run("status", "--data", data, "--json").stdout)
    assert switched == (status["beside"] is None)
    if not switched:
        assert 0 == run("verify", "--data", data).exit_code
        heard = {"after-commit:2": 32, Failpoint.BEFORE_SWITCH: CLIPS}[stage]
        done = json.loads(run(*command, "--json").stdout)
        assert (heard, CLIPS - heard, CLIPS) == (done["unchanged"], done["decoded"], done["tracks"])
    else:
        assert 0 == run("rebuild", "--data", data).exit_code
    assert 0 == run("verify", "--data", data).exit_code


def test_what_another_model_left_unfinished_is_not_mixed_in(data: Path, other_model: Path, tiny_model: Path) -> None:
    """A run with a third model begins anew."""
    killed_at("after-commit:1", [*PROGRAM, "reindex", "--data", str(data), "--model", str(other_model)])
    done = json.loads(run("reindex", "--data", data, "--model", tiny_model, "--json").stdout)

    assert (0, CLIPS, CLIPS) == (done["unchanged"], done["decoded"], done["tracks"])


def test_what_left_meanwhile_does_not_come_back(data: Path, other_model: Path, tmp_path: Path) -> None:
    """A track that was removed, and a file that was deleted, after they were heard are not in the new catalogue."""
    clips = sorted((tmp_path / "music").glob("[0-9]*"))
    reindex = ["reindex", "--data", str(data), "--model", str(other_model), "--allow-failures", "1"]
    killed_at(Failpoint.BEFORE_SWITCH, [*PROGRAM, *reindex])
    assert 0 == run("remove", clips[0], "--data", data).exit_code
    clips[1].unlink()

    done = json.loads(run(*reindex, "--json").stdout)

    assert (0, 1, 1, CLIPS - 2) == (done["decoded"], done["forgotten"], done["removed"], done["tracks"])
    with open_store(data) as store:
        assert [None, None] == store.files([str(clip) for clip in clips[:2]])
    assert 0 == run("verify", "--data", data).exit_code


def test_a_missing_disk_is_no_reason_to_lose_tracks(data: Path, other_model: Path, tmp_path: Path) -> None:
    """With more than a fifth of the files gone the old catalogue stays, unless it is told to go."""
    before = identity(data)
    for clip in sorted((tmp_path / "music").iterdir())[:10]:
        clip.unlink()
    command = ("reindex", "--data", data, "--model", other_model, "--allow-failures", "1")
    refused = run(*command, "--json")
    assert (1, "REMOVAL_REFUSED") == (refused.exit_code, json.loads(refused.stdout)["error"]["reason"])
    assert before == identity(data)

    assert 0 == run(*command, "--allow-removals").exit_code
    assert 0 == run("verify", "--data", data).exit_code
    with open_store(data) as store:
        assert CLIPS - 10 == store.count()
