"""The catalogue follows its store: events, snapshots, and other catalogues in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.errors import CatalogueEmpty, CatalogueMismatch
from segue.core.index.publishing import publish
from segue.core.testing.memory_store import MemoryStore
from tests.helpers.server.live_catalogues import (
    CountedStore,
    SwitchableStore,
    add,
    assert_is_the_store,
    following,
    remove,
    store_of,
    store_of_another_model,
)


def test_an_unchanged_catalogue_costs_one_read(tmp_path: Path) -> None:
    """A server without callers reads the state of the catalogue at each poll, and nothing else."""
    store = CountedStore(store_of(*range(20)))
    with following(tmp_path, store) as catalogue:
        store.used.clear()
        catalogue.refresh()
        catalogue.refresh()
        assert ["state", "state"] == store.used


@pytest.mark.parametrize("published", [True, False], ids=["snapshot", "no snapshot"])
def test_later_events_are_applied(tmp_path: Path, published: bool) -> None:
    """Tracks that are added, replaced, removed and added again after the snapshot are searched as they are now."""
    store = store_of(*range(20))
    if published:
        publish(tmp_path, store)
    with following(tmp_path, store) as catalogue:
        assert_is_the_store(catalogue, store)
        add(store, 30, 31)
        add(store, 3, 4, version=1)
        remove(store, 5, 30, 3)
        catalogue.refresh()
        assert_is_the_store(catalogue, store)
        add(store, 5, 3, version=2)
        catalogue.refresh()
        assert_is_the_store(catalogue, store)


def test_a_newer_snapshot_is_loaded(tmp_path: Path) -> None:
    """After the indexer has published a snapshot, the added tracks are in its graph, and nothing else changes."""
    store = store_of(*range(5))
    with following(tmp_path, store) as catalogue:
        add(store, *range(5, 10))
        catalogue.refresh()
        publish(tmp_path, store)
        catalogue.refresh()
        assert {} == catalogue.view.added
        assert_is_the_store(catalogue, store)


def test_a_damaged_snapshot_is_not_used(tmp_path: Path) -> None:
    """If the snapshot does not match its header, the tracks come from the store, and are read only once."""
    store = store_of(*range(5))
    publish(tmp_path, store)
    (graph,) = tmp_path.rglob("index.hnsw")
    graph.write_bytes(b"nonsense")
    with following(tmp_path, store) as catalogue:
        before = catalogue.view
        assert_is_the_store(catalogue, store)
        catalogue.refresh()
        assert before is catalogue.view


def test_a_snapshot_that_is_published_during_a_poll(tmp_path: Path) -> None:
    """A snapshot that appears during a poll is loaded at the next poll."""

    class Racing(MemoryStore):
        armed = False

        def revision(self) -> int:
            before = super().revision()
            if self.armed:
                self.armed = False
                add(self, 100, 101)
                publish(tmp_path, self)
            return before

    store = Racing()
    add(store, *range(5))
    with following(tmp_path, store) as catalogue:
        store.armed = True
        catalogue.refresh()
        catalogue.refresh()
        assert_is_the_store(catalogue, store)
        assert {} == catalogue.view.added


def test_an_empty_catalogue(tmp_path: Path) -> None:
    """An empty catalogue is no problem, and its error says what to do."""
    with following(tmp_path, MemoryStore()) as catalogue:
        assert catalogue.problem is None
        with pytest.raises(CatalogueEmpty, match="segue-indexer add"):
            catalogue.searchable_view()


def test_an_emptied_catalogue(tmp_path: Path) -> None:
    """A catalogue whose last track was removed is empty again."""
    store = store_of(1)
    with following(tmp_path, store) as catalogue:
        remove(store, 1)
        catalogue.refresh()
        with pytest.raises(CatalogueEmpty):
            catalogue.searchable_view()


def test_a_catalogue_of_another_model(tmp_path: Path) -> None:
    """A catalogue of another model is not searched, and the error has the names of both models."""
    store = store_of_another_model()
    with following(tmp_path, store) as catalogue, pytest.raises(CatalogueMismatch, match=r"other-0.*test-1"):
        catalogue.searchable_view()


def test_a_replaced_catalogue(tmp_path: Path) -> None:
    """A catalogue that takes the place of another is searched alone."""
    store = SwitchableStore(store_of(*range(10)))
    publish(tmp_path, store.target)
    with following(tmp_path, store) as catalogue:
        store.target = store_of(50)
        catalogue.refresh()
        assert_is_the_store(catalogue, store.target)


def test_a_lost_catalogue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A store that comes back empty is logged once, and its tracks stay in memory; one that was empty is not."""
    store = SwitchableStore(store_of(1))
    with following(tmp_path, store) as catalogue:
        store.target = MemoryStore()
        catalogue.refresh()
        catalogue.refresh()
        assert (True, True, 1) == (catalogue.is_damaged, catalogue.stale, len(catalogue.searchable_view()))
    with following(tmp_path, MemoryStore()) as empty:
        assert not empty.is_damaged
    assert [
        "Redis has lost the catalogue or its main keys. Restore a backup, or index the music again."
    ] == caplog.messages
