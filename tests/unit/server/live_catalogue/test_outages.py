"""The catalogue serves from memory while its store is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.core.catalogue.records import Track, TrackFacts
from segue.core.catalogue.store import TrackStore
from segue.core.errors import StoreUnavailable
from segue.core.index.publishing import publish
from segue.core.selection.criteria import Criteria, TrackFilter
from segue.core.selection.track_query import TrackQuery
from segue.core.testing.memory_store import MemoryStore
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.observability.metrics import Metrics
from tests.helpers.server.live_catalogues import (
    MANIFEST,
    SwitchableStore,
    add,
    assert_is_the_store,
    embedding,
    following,
    metadata,
    name,
    nearest,
    remove,
    store_of,
    store_of_another_model,
)


def neighbours(catalogue: LiveCatalogue, number: int, k: int) -> tuple[list[str], bool]:
    """The tracks that are recommended for a track, and True if they are stale."""
    result = nearest(catalogue, catalogue.embeddings([name(number)])[0], k, name(number))
    return [neighbour.track_id for neighbour, _ in result.tracks], result.stale


def titles(catalogue: LiveCatalogue) -> list[str]:
    """The titles of the tracks that are recommended for the first track."""
    return [title.decode() for _, title in nearest(catalogue, embedding(1), 1, name(1)).tracks]


def test_a_store_that_opens_late(tmp_path: Path) -> None:
    """A store that cannot be opened is a problem until it can."""
    store = store_of(1)
    is_up = False

    @contextmanager
    def opened() -> Iterator[TrackStore]:
        if not is_up:
            raise StoreUnavailable("not yet")
        yield store

    catalogue = LiveCatalogue(tmp_path, MANIFEST, opened, metadata())
    catalogue.refresh()
    with pytest.raises(StoreUnavailable, match="not yet"):
        catalogue.searchable_view()
    is_up = True
    catalogue.refresh()
    assert_is_the_store(catalogue, store)
    catalogue.close()


def test_an_unforeseen_error(tmp_path: Path) -> None:
    """An unforeseen error becomes a problem, and the catalogue goes on polling."""

    @contextmanager
    def opened() -> Iterator[TrackStore]:
        raise ValueError("unforeseen")
        yield MemoryStore()

    catalogue = LiveCatalogue(tmp_path, MANIFEST, opened, metadata())
    catalogue.refresh()
    catalogue.refresh()
    assert isinstance(catalogue.problem, StoreUnavailable)
    with pytest.raises(StoreUnavailable):
        _ = catalogue.store


@pytest.mark.parametrize("in_snapshot", [5, 0, 10])
def test_recommendations_from_memory(tmp_path: Path, in_snapshot: int) -> None:
    """While the store is away, recommendations stay the same and are marked stale, until it is back."""
    store = SwitchableStore(MemoryStore())
    add(store.target, *range(in_snapshot))
    if in_snapshot:
        publish(tmp_path, store.target)
    add(store.target, *range(in_snapshot, 10))
    with following(tmp_path, store) as catalogue:
        before = neighbours(catalogue, 3, 4)
        assert (4, False) == (len(before[0]), before[1])
        store.away = True
        catalogue.refresh()
        assert (before[0], True) == neighbours(catalogue, 3, 4)
        assert catalogue.stale
        assert catalogue.can_recommend
        store.away = False
        catalogue.refresh()
        assert before == neighbours(catalogue, 3, 4)
        assert not catalogue.stale


@pytest.mark.parametrize("access", [lambda catalogue: catalogue.store, LiveCatalogue.searchable_view])
def test_a_problem_that_is_raised_often(tmp_path: Path, access: Callable[[LiveCatalogue], object]) -> None:
    """The traceback of a problem does not grow with each time that it is raised."""
    store = SwitchableStore(MemoryStore())
    store.away = True
    with following(tmp_path, store) as catalogue:
        lengths = set()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="away") as raised:
                access(catalogue)
            lengths.add(len(raised.traceback))
    assert 1 == len(lengths)


def test_tracks_that_are_not_cached(tmp_path: Path) -> None:
    """A recommendation with a track that is not cached fails while the store is away."""
    store = SwitchableStore(store_of(*range(3)))
    with following(tmp_path, store, max_bytes=800) as catalogue:
        store.away = True
        with pytest.raises(StoreUnavailable, match="away"):
            neighbours(catalogue, 1, 2)
        with pytest.raises(StoreUnavailable, match="away"):
            catalogue.embeddings([name(99)])
        assert not catalogue.can_recommend


def test_a_removed_track(tmp_path: Path) -> None:
    """A track that was removed before the outage is neither recommended nor accepted as a seed."""
    store = SwitchableStore(store_of(*range(5)))
    publish(tmp_path, store.target)
    with following(tmp_path, store) as catalogue:
        remove(store.target, 2)
        catalogue.refresh()
        store.away = True
        assert {name(0), name(3), name(4)} == set(neighbours(catalogue, 1, 4)[0])
        with pytest.raises(StoreUnavailable):
            catalogue.embeddings([name(2)])


def test_metadata_of_a_replaced_catalogue(tmp_path: Path) -> None:
    """The same tracks in another catalogue have the metadata of that catalogue."""
    store = SwitchableStore(store_of(1, 2))
    with following(tmp_path, store) as catalogue:
        assert ["track 2"] == titles(catalogue)
        store.target = MemoryStore()
        add(store.target, 1, 2, title="new track")
        catalogue.refresh()
        store.away = True
        assert ["new track 2"] == titles(catalogue)


def test_a_catalogue_that_another_model_replaced(tmp_path: Path) -> None:
    """After another model has replaced the catalogue nothing can be recommended, also during a later outage."""
    store = SwitchableStore(store_of(1, 2))
    with following(tmp_path, store) as catalogue:
        assert catalogue.can_recommend
        store.target = store_of_another_model()
        catalogue.refresh()
        assert not catalogue.can_recommend
        store.away = True
        catalogue.refresh()
        assert not catalogue.can_recommend


def test_a_catalogue_that_does_not_fit_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, not at every poll, that an outage will make some recommendations fail."""
    with following(tmp_path, SwitchableStore(store_of(*range(4))), max_bytes=800) as catalogue:
        for _ in range(3):
            catalogue.refresh()
    assert 1 == caplog.text.count("The metadata of 3 of 4 tracks is in memory")


class DamagedStore(SwitchableStore):
    """A store in which the metadata of track 3 cannot be read."""

    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """Returns the other tracks."""
        if self.away:
            raise StoreUnavailable("it is away")
        damage = ValueError("It is damaged.")
        values = [damage if track_id == name(3) else self.target.get([track_id])[0] for track_id in track_ids]
        return self.target.damaged.decode("track", track_ids, values, lambda _, track: track)


def test_a_damaged_track_while_the_store_is_away(tmp_path: Path) -> None:
    """It costs neither the recommendations of the other tracks nor the health, and is no lost key."""
    store = DamagedStore(store_of(*range(6)))
    with following(tmp_path, store) as catalogue:
        expected = {name(number) for number in (0, 2, 4, 5)}
        for away in (False, True):
            store.away = away
            catalogue.refresh()
            recommended, stale = neighbours(catalogue, 1, 6)
            assert (expected, away) == (set(recommended), stale)
            assert (True, False, 1) == (catalogue.can_recommend, catalogue.is_damaged, catalogue.damaged_records)


def test_a_catalogue_of_damaged_tracks(tmp_path: Path) -> None:
    """Nothing can be recommended, and nothing is lost: the answer is empty."""
    store = DamagedStore(store_of(3))
    with following(tmp_path, store) as catalogue:
        assert ([], False) == neighbours(catalogue, 3, 6)
        assert not catalogue.is_damaged


def test_a_lost_track_that_a_filter_names(tmp_path: Path) -> None:
    """A caller who names one lost track gets no track, and does not make the server stale for all others."""
    store = store_of(1, 2, 3)
    with following(tmp_path, store, max_bytes=0) as catalogue:
        catalogue.table.put([name(number) for number in (1, 2, 3)], [TrackFacts("track")] * 3)
        catalogue.table.is_complete = True
        del store._tracks[name(2)]
        criteria = Criteria(TrackFilter(track_ids=frozenset({name(2)})))
        found = CatalogueSearch(catalogue, Metrics()).find(TrackQuery(embedding(1), 5, criteria=criteria))
        assert ([name(2)], []) == ([n.track_id for n in found.neighbours], catalogue.described(found).tracks)
        assert (None, False) == (catalogue.problem, catalogue.stale)
