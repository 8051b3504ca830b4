"""The texts to search follow the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.core.errors import Starting, StoreUnavailable
from segue.core.testing.memory_store import MemoryStore
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.text_search import IDLE_SECONDS, TextSearch
from tests.helpers.server.live_catalogues import SwitchableStore, add, following, remove, store_of


@contextmanager
def searching(data: Path, store: MemoryStore | SwitchableStore) -> Iterator[tuple[LiveCatalogue, TextSearch]]:
    """A catalogue and a search of its texts, which follow the store only at ``catch_up``."""
    with following(data, store) as catalogue:
        yield catalogue, TextSearch(catalogue)


def catch_up(catalogue: LiveCatalogue, search: TextSearch) -> None:
    """Polls the store, and reads texts until none is left to read."""
    catalogue.refresh()
    while [IDLE_SECONDS] * 2 != [search.refresh(), search.refresh()]:
        pass


def titles(search: TextSearch, word: str = "track") -> list[str]:
    """The titles of the tracks that have a word."""
    return [track.title for track in search.search([word], None, 100).tracks]


def test_before_the_first_reading(tmp_path: Path) -> None:
    """A search before all texts are read is refused as one of a server that is starting."""
    with searching(tmp_path, store_of(1, 2)) as (catalogue, search):
        with pytest.raises(Starting, match="0 of 2"):
            titles(search)
        catch_up(catalogue, search)
        assert ["track 1", "track 2"] == titles(search)


def test_added_and_removed_tracks(tmp_path: Path) -> None:
    """Tracks that are added are found, those that are removed are not."""
    store = store_of(1, 2)
    with searching(tmp_path, store) as (catalogue, search):
        catch_up(catalogue, search)
        add(store, 3)
        remove(store, 1)
        catch_up(catalogue, search)
        assert ["track 2", "track 3"] == titles(search)
        remove(store, 2)
        assert ["track 3"] == titles(search)


def test_a_new_title(tmp_path: Path) -> None:
    """A title that changes without an event is read again after its writer."""
    store = store_of(1, 2)
    with searching(tmp_path, store) as (catalogue, search):
        catch_up(catalogue, search)
        revision = store.revision()
        add(store, 1, title="renamed")
        catch_up(catalogue, search)
        assert revision == store.revision()
        assert (["renamed 1"], ["track 2"]) == (titles(search, "renamed"), titles(search))


def test_nothing_is_read_without_a_writer(tmp_path: Path) -> None:
    """Without a writer, no text is read a second time."""
    store = store_of(1)
    with searching(tmp_path, store) as (catalogue, search):
        catch_up(catalogue, search)
        store.facts = None  # type: ignore[assignment,method-assign] # a call would fail
        assert IDLE_SECONDS == search.refresh()


def test_another_catalogue(tmp_path: Path) -> None:
    """The texts are those of a catalogue that replaces the one before."""
    store = SwitchableStore(store_of(1, 2))
    with searching(tmp_path, store) as (catalogue, search):
        catch_up(catalogue, search)
        store.target = MemoryStore()
        add(store.target, 2, 3, title="new")
        catch_up(catalogue, search)
        assert ([], ["new 2", "new 3"]) == (titles(search), titles(search, "new"))


def test_a_store_that_is_away(tmp_path: Path) -> None:
    """A search while the store is away fails as other reads do, and works again afterwards."""
    store = SwitchableStore(store_of(1))
    with searching(tmp_path, store) as (catalogue, search):
        catch_up(catalogue, search)
        store.away = True
        with pytest.raises(StoreUnavailable):
            search.refresh()
        with pytest.raises(StoreUnavailable):
            titles(search)
        store.away = False
        catch_up(catalogue, search)
        assert ["track 1"] == titles(search)


def test_it_follows_in_the_background(tmp_path: Path) -> None:
    """Once started, a search reads the texts by itself, and ends when it is closed."""
    with searching(tmp_path, store_of(1)) as (_, search):
        search.start()
        search.close()
        search.close()


def test_the_table_follows_as_the_texts_do(tmp_path: Path) -> None:
    """It has the tracks of the view, also after some were removed in the middle of a reading."""
    store = SwitchableStore(store_of(*range(20)))
    with searching(tmp_path, store) as (catalogue, search):
        catch_up(catalogue, search)
        add(store.target, 0, title="renamed")  # all are read again
        search.refresh()
        remove(store.target, *range(5, 20))
        catch_up(catalogue, search)
        assert (5, True) == (len(catalogue.table), catalogue.table.is_usable(5))
        store.target = store_of(*range(5))
        catalogue.refresh()
        search.refresh()
        assert not catalogue.table.is_complete
        catch_up(catalogue, search)
        assert catalogue.table.is_usable(5)
