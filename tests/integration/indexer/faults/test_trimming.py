from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from segue.core.catalogue.records import Addition
from segue.core.index.snapshot import load_newest, newest_revision
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue.publish import publish_index
from tests.helpers.catalogue.tracks import WIDTH, addition, track_id
from tests.helpers.indexer import run


def change(store: RedisStore, data: Path, additions: Sequence[Addition] = (), removals: Sequence[str] = ()) -> None:
    """Changes the catalogue and publishes its index; twenty events are enough to be trimmed."""
    with store.writer("model", "front end", WIDTH) as writer:
        writer.add(additions)
        writer.remove(removals)
        publish_index(data, store, writer, min_trimmed=20)


def test_the_stream_is_trimmed_up_to_the_older_snapshot(catalogue: RedisStore, tmp_path: Path) -> None:
    """The first snapshot drops no event; the second drops those that the first contains, and the rest agrees."""
    change(catalogue, tmp_path)
    assert 1 == catalogue.state().oldest_revision
    change(catalogue, tmp_path, removals=[track_id(1)])

    assert (20, 21) == (catalogue.state().oldest_revision, catalogue.revision())
    assert 0 == run("verify", "--data", tmp_path).exit_code

    shutil.rmtree(max((tmp_path / "snapshots").iterdir()))
    identity = catalogue.identity()
    assert identity is not None
    older = load_newest(tmp_path, identity, since=catalogue.state().oldest_revision - 1, until=catalogue.revision())
    assert older is not None
    assert 20 == older.header.revision


def test_a_few_events_are_not_trimmed(catalogue: RedisStore, tmp_path: Path) -> None:
    """After the stream was trimmed, it grows again until enough events can be dropped."""
    change(catalogue, tmp_path)
    change(catalogue, tmp_path, removals=[track_id(1)])
    for number in range(30, 34):
        change(catalogue, tmp_path, additions=[addition(number)])

    assert (20, 25, 25) == (catalogue.state().oldest_revision, catalogue.revision(), newest_revision(tmp_path))
    assert 0 == run("verify", "--data", tmp_path).exit_code
