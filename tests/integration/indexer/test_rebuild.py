from __future__ import annotations

import json
import os
from pathlib import Path

from segue.core.index.snapshot import load_newest
from segue.core.index.snapshot_header import INDEX
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.indexer import run, track_id


def test_the_index_is_made_from_redis_alone(catalogue: RedisStore, tmp_path: Path) -> None:
    """No audio and no model is needed: what Redis holds is all of it, and a server can load it."""
    done = run("rebuild", "--data", tmp_path)

    assert (0, "") == (done.exit_code, done.stderr)
    assert "The index of revision 20 is published: 20 tracks" in done.stdout
    identity = catalogue.identity()
    assert identity is not None
    snapshot = load_newest(tmp_path, identity, since=20)
    assert snapshot is not None
    assert [track_id(number) for number in range(20)] == list(snapshot.index.track_ids)


def test_a_damaged_index_is_replaced(catalogue: RedisStore, tmp_path: Path) -> None:
    """Whatever lies there, also of the same revision, the new index is the one that is loaded."""
    run("rebuild", "--data", tmp_path)
    (damaged,) = (tmp_path / "snapshots").iterdir()
    (damaged / INDEX).write_bytes(b"no graph")
    done = run("rebuild", "--data", tmp_path, "--json")

    assert {"tracks": 20, "added": 0, "failed": 0, "decoded": 0} == {
        key: value for key, value in json.loads(done.stdout).items() if key in {"tracks", "added", "failed", "decoded"}
    }
    identity = catalogue.identity()
    assert identity is not None
    assert load_newest(tmp_path, identity, since=20) is not None


def test_there_must_be_a_catalogue(tmp_path: Path) -> None:
    """Nothing to make an index of is an error that says what to do first, and nothing is published."""
    done = run("rebuild", "--data", tmp_path)

    assert 1 == done.exit_code
    assert "Run segue-indexer add FOLDER first." in done.stderr
    assert not (tmp_path / "snapshots").exists()


def test_only_the_writer_publishes(catalogue: RedisStore, tmp_path: Path) -> None:
    """While another indexer is at work, it is named and nothing is published."""
    with catalogue.writer("model", "front end", 16):
        done = run("rebuild", "--data", tmp_path)

    assert 1 == done.exit_code
    assert f"process {os.getpid()}" in done.stderr
    assert not (tmp_path / "snapshots").exists()


def test_a_dry_run_publishes_nothing(catalogue: RedisStore, tmp_path: Path) -> None:
    """It says what would be in the index."""
    done = run("rebuild", "--data", tmp_path, "--dry-run")

    assert f"revision {catalogue.revision()} would be published: 20 tracks" in done.stdout
    assert not (tmp_path / "snapshots").exists()
