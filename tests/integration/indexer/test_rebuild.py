from __future__ import annotations

import json
import os
from pathlib import Path

from segue.core.index.snapshot import load_newest
from segue.core.index.snapshot_header import INDEX
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.indexer import run


def test_the_index_is_built_from_redis_alone(catalogue: RedisStore, tmp_path: Path) -> None:
    """It needs neither audio nor a model, and has every track."""
    ended = run("rebuild", "--data", tmp_path)

    assert (0, "") == (ended.exit_code, ended.stderr)
    assert "Published the index of revision 20 with 20 tracks in " in ended.stdout
    identity = catalogue.identity()
    assert identity is not None
    snapshot = load_newest(tmp_path, identity, since=20)
    assert snapshot is not None
    assert [track_id(number) for number in range(20)] == list(snapshot.index.track_ids)


def test_a_damaged_index_is_replaced(catalogue: RedisStore, tmp_path: Path) -> None:
    """The new index is loaded even if a damaged one has the same revision."""
    run("rebuild", "--data", tmp_path)
    (damaged,) = (tmp_path / "snapshots").iterdir()
    (damaged / INDEX).write_bytes(b"no graph")
    ended = run("rebuild", "--data", tmp_path, "--json")

    assert {"tracks": 20, "added": 0, "failed": 0, "decoded": 0} == {
        key: value for key, value in json.loads(ended.stdout).items() if key in {"tracks", "added", "failed", "decoded"}
    }
    identity = catalogue.identity()
    assert identity is not None
    assert load_newest(tmp_path, identity, since=20) is not None


def test_there_must_be_a_catalogue(tmp_path: Path) -> None:
    """Without one, the error says what to do first, and nothing is published."""
    ended = run("rebuild", "--data", tmp_path)

    assert 1 == ended.exit_code
    assert "Run `segue-indexer add FOLDER` first." in ended.stderr
    assert not (tmp_path / "snapshots").exists()


def test_only_the_writer_publishes(catalogue: RedisStore, tmp_path: Path) -> None:
    """While another indexer writes the catalogue, the error names it, and nothing is published."""
    with catalogue.writer("model", "front end", 16):
        ended = run("rebuild", "--data", tmp_path)

    assert 1 == ended.exit_code
    assert f"process {os.getpid()}" in ended.stderr
    assert not (tmp_path / "snapshots").exists()


def test_a_dry_run_publishes_nothing(catalogue: RedisStore, tmp_path: Path) -> None:
    """It says which index a run would publish."""
    ended = run("rebuild", "--data", tmp_path, "--dry-run")

    assert f"would publish the index of revision {catalogue.revision()} with 20 tracks." in ended.stdout
    assert not (tmp_path / "snapshots").exists()
