from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from segue.core.index.snapshot import load_newest, newest_revision
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue import publish
from tests.helpers.indexer import build_addition, run, track_id


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of twenty events is a long one."""
    monkeypatch.setattr(publish, "MIN_TRIMMED", 20)


def test_the_stream_is_trimmed_behind_the_older_of_two_snapshots(catalogue: RedisStore, tmp_path: Path) -> None:
    """One snapshot drops nothing; a second one drops what the first holds, and all that is left still agrees."""
    run("rebuild", "--data", tmp_path)
    assert 1 == catalogue.oldest_revision()
    run("remove", track_id(1), "--data", tmp_path)

    assert (21, 21) == (catalogue.oldest_revision(), catalogue.revision())
    assert 0 == run("verify", "--data", tmp_path).exit_code

    shutil.rmtree(max((tmp_path / "snapshots").iterdir()))
    identity = catalogue.identity()
    assert identity is not None
    older = load_newest(tmp_path, identity, since=catalogue.oldest_revision() - 1, until=catalogue.revision())
    assert older is not None
    assert 20 == older.header.revision


def test_a_few_events_are_not_worth_it(catalogue: RedisStore, tmp_path: Path) -> None:
    """After the stream was trimmed, it grows again for a while."""
    run("rebuild", "--data", tmp_path)
    run("remove", track_id(1), "--data", tmp_path)
    for number in range(30, 34):
        with catalogue.writer("model", "front end", 16) as writer:
            writer.add([build_addition(number)])
        run("rebuild", "--data", tmp_path)

    assert (21, 25, 25) == (catalogue.oldest_revision(), catalogue.revision(), newest_revision(tmp_path))
    assert 0 == run("verify", "--data", tmp_path).exit_code
