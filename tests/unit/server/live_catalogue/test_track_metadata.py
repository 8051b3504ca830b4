"""Recommendations are described from memory, and by no metadata that has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from segue.core.index.publishing import publish
from segue.core.index.vector_index import ExactIndex
from segue.core.selection.track_query import TrackQuery
from segue.core.testing.memory_store import MemoryStore
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.observability.metrics import Metrics
from tests.helpers.server.live_catalogues import (
    CountedStore,
    SwitchableStore,
    add,
    embedding,
    find,
    following,
    name,
    nearest,
    remove,
    store_of,
)


def titles(catalogue: LiveCatalogue) -> set[str]:
    """The titles of all tracks but the first."""
    return {title.decode() for _, title in nearest(catalogue, embedding(1), 9, name(1)).tracks}


def from_memory(catalogue: LiveCatalogue) -> bool:
    """Returns whether an answer needs no store."""
    return catalogue.described_from_memory(find(catalogue, embedding(1), 9, name(1))) is not None


def test_an_answer_from_memory(tmp_path: Path) -> None:
    """Searching and describing use no method of the store."""
    store = CountedStore(store_of(*range(6)))
    publish(tmp_path, store.target)
    with following(tmp_path, store) as catalogue:
        store.used.clear()
        assert {"track 0", "track 2", "track 3", "track 4", "track 5"} == titles(catalogue)
        query = TrackQuery(embedding(1), 10)
        assert CatalogueSearch(catalogue, Metrics()).find_quickly(query) is not None
        assert [] == store.used


def test_a_new_title_without_an_event(tmp_path: Path) -> None:
    """A title that changes alone is answered from the next poll on, and all tracks are in memory again soon."""
    store = store_of(*range(4))
    with following(tmp_path, store) as catalogue:
        assert from_memory(catalogue)
        revision = store.revision()
        add(store, 2, title="new title")
        assert revision == store.revision()
        catalogue.refresh()
        assert {"track 0", "new title 2", "track 3"} == titles(catalogue)
        catalogue.refresh()
        assert from_memory(catalogue)
        assert {"track 0", "new title 2", "track 3"} == titles(catalogue)


def test_tracks_of_an_earlier_epoch_are_read_again(tmp_path: Path) -> None:
    """After a write the tracks that no call asks for are read again as well, once the writer is done."""
    store = CountedStore(store_of(*range(4)))
    with following(tmp_path, store) as catalogue:
        add(store.target, 2, title="new title")
        store.used.clear()
        catalogue.refresh()
        assert "get" not in store.used  # the writer may be at work still
        catalogue.refresh()
        assert 1 == store.used.count("get")
        assert from_memory(catalogue)


def test_a_removed_track_is_not_returned(tmp_path: Path) -> None:
    """After the poll that finds a removal, the track is in no answer, also if it was in memory."""
    store = store_of(*range(4))
    publish(tmp_path, store)
    with following(tmp_path, store) as catalogue:
        assert "track 2" in titles(catalogue)
        remove(store, 2)
        catalogue.refresh()
        for _ in range(3):
            assert {"track 0", "track 3"} == titles(catalogue)
            catalogue.refresh()
        add(store, 2, title="back")
        catalogue.refresh()
        assert {"track 0", "back 2", "track 3"} == titles(catalogue)


def test_a_write_during_a_poll(tmp_path: Path) -> None:
    """A view of events that came after the state of the store was read has no older metadata than its revision."""

    class Racing(MemoryStore):
        armed = False

        def embeddings(self, track_ids: list[str]) -> list[object]:  # type: ignore[override]
            if self.armed and track_ids:
                self.armed = False
                add(self, 3, version=1, title="new title")
            return super().embeddings(track_ids)  # type: ignore[return-value]

    store = Racing()
    add(store, *range(4))
    with following(tmp_path, store) as catalogue:
        store.armed = True
        add(store, 7)
        catalogue.refresh()
        catalogue.refresh()
        assert (store.revision(), True) == (catalogue.view.revision, "new title 3" in titles(catalogue))


def test_a_lost_track_is_noticed(tmp_path: Path) -> None:
    """Keys that vanish without a write are noticed by the poll after an answer that had the track."""
    store = store_of(*range(4))
    with following(tmp_path, store) as catalogue:
        del store._tracks[name(2)]
        assert "track 2" in titles(catalogue)
        catalogue.refresh()
        assert {"track 0", "track 3"} == titles(catalogue)
        assert catalogue.is_damaged


def test_a_read_that_fails_is_made_up_for(tmp_path: Path) -> None:
    """Redis may be away while tracks are read into memory; they are read at a later poll."""
    store = SwitchableStore(store_of(*range(1_500)))
    with following(tmp_path, store) as catalogue:
        store.away = True
        catalogue.refresh()
        store.away = False
        for _ in range(3):
            catalogue.refresh()
        assert catalogue.metadata.is_complete(catalogue.view)


def test_memory_is_filled_as_far_as_it_goes(tmp_path: Path) -> None:
    """Tracks that take less memory than usual are all read."""
    with following(tmp_path, store_of(*range(1_000)), max_bytes=240_000) as catalogue:
        for _ in range(4):
            catalogue.refresh()
        assert catalogue.metadata.is_complete(catalogue.view)


def test_tracks_that_grow_out_of_memory(tmp_path: Path) -> None:
    """If new titles evict tracks, not all are in memory any more."""
    store = store_of(*range(6))
    with following(tmp_path, store, max_bytes=6 * 300) as catalogue:
        for _ in range(3):
            catalogue.refresh()
        assert catalogue.metadata.is_complete(catalogue.view)
        add(store, *range(6), title="t" * 300)
        for _ in range(3):
            catalogue.refresh()
        assert not catalogue.metadata.is_complete(catalogue.view)


def test_long_searches_leave_the_event_loop(tmp_path: Path) -> None:
    """Searches for many neighbours, and those that compare many tracks one by one, are not quick."""
    store = store_of(*range(4))
    publish(tmp_path, store)
    with following(tmp_path, store) as catalogue:
        view = catalogue.view
        assert (True, True, False) == (view.is_quick(10, 0), view.is_quick(256, 0), view.is_quick(257, 0))
        many = ExactIndex([str(number) for number in range(2_501)], np.zeros((2_501, 1), np.float32))
        assert not replace(view, base=many).is_quick(10, 0)
