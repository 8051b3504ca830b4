"""A store that lost its last events, as a replica that took over, and got others with the same revisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.index.publishing import publish
from segue.core.testing.memory_store import MemoryStore
from tests.helpers.server.live_catalogues import SwitchableStore, add, assert_is_the_store, following, remove, store_of


def other_history(store: MemoryStore, *numbers: int, version: int = 0) -> MemoryStore:
    """Returns a store of the same catalogue with other events."""
    other = MemoryStore(store.identity())
    add(other, *numbers, version=version)
    return other


@pytest.mark.parametrize("count", [4, 5, 8], ids=["older", "as new", "newer"])
def test_other_events_of_the_same_revisions(tmp_path: Path, count: int) -> None:
    """The catalogue is that of the store, whether the store is behind the view again or already ahead of it."""
    first = store_of(0, 1, 2, 3, 4)
    store = SwitchableStore(first)
    with following(tmp_path, store) as catalogue:
        store.target = other_history(first, *range(20, 20 + count))
        catalogue.refresh()
        assert_is_the_store(catalogue, store.target)
        add(store.target, 40)
        remove(store.target, 20)
        catalogue.refresh()
        assert_is_the_store(catalogue, store.target)


def test_the_same_tracks_again(tmp_path: Path) -> None:
    """A run that was repeated gives the same ids in the same order, though files had changed."""
    first = store_of(0, 1, 2, 3, 4)
    store = SwitchableStore(first)
    with following(tmp_path, store) as catalogue:
        store.target = other_history(first, 0, 1, 2, 3, 4, 5, version=1)
        catalogue.refresh()
        assert_is_the_store(catalogue, store.target)


@pytest.mark.parametrize("count", [5, 8])
def test_a_snapshot_of_lost_events(tmp_path: Path, count: int) -> None:
    """It is not used, also by a server that starts later."""
    first = store_of(0, 1, 2, 3, 4)
    publish(tmp_path, first)
    store = other_history(first, *range(20, 20 + count))
    with following(tmp_path, store) as catalogue:
        assert_is_the_store(catalogue, store)


def test_a_loss_while_events_are_read(tmp_path: Path) -> None:
    """Events of both histories are never mixed."""
    first = store_of(0, 1, 2)

    class Failing(SwitchableStore):
        def state(self) -> object:
            state = self.target.state()
            self.target = others
            return state

    store = Failing(first)
    others = first
    with following(tmp_path, store) as catalogue:
        add(first, 3, 4)
        others = other_history(first, *range(20, 30))
        catalogue.refresh()
        catalogue.refresh()
        assert_is_the_store(catalogue, store.target)
