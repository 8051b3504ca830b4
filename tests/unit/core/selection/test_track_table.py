"""The table of properties follows the facts of tracks, and filters find rows in it."""

from __future__ import annotations

import pytest

from segue.core.catalogue.records import TrackFacts
from segue.core.selection.criteria import Criteria, TrackFilter
from segue.core.selection.filters import allowed_rows
from segue.core.selection.selector import TrackSelector
from segue.core.selection.track_query import TrackQuery
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import View
from tests.helpers.server.live_catalogues import embedding


def put(table: TrackTable, **artists: str) -> None:
    """Stores tracks by their artists."""
    table.put(list(artists), [TrackFacts(track_id, artist=artist) for track_id, artist in artists.items()])


def test_a_track_that_lost_its_record_keeps_its_row() -> None:
    """Its row is not given to another track while it is in the view, since its facts may come back."""
    table = TrackTable()
    put(table, a="A")
    table.put(["a"], [None])
    put(table, b="B")
    assert [0, 1] == table.row_numbers(["a", "b"]).tolist()
    assert [False, True] == table.columns["present"][:2].tolist()
    assert [(-1, -1, -1)] == list(table.labels_of("a"))
    table.drop(["a"])
    put(table, c="C")
    assert [0] == table.row_numbers(["c"]).tolist()


def test_groups_of_copies_and_rows() -> None:
    """The group of a track does not depend on when its row was made."""
    table = TrackTable()
    put(table, a="A", b="B")
    table.group({"a": "a", "c": "a", "d": "a", "b": "b", "x": "b"})
    put(table, c="C", d="D", e="E")
    copies = table.columns["copies"][table.row_numbers(["a", "b", "c", "d", "e"])].tolist()
    assert [0, 1, 0, 0, -1] == copies == [own.copies for own in table.labels_of("abcde")]
    assert [2, 1, 0] == [table.copies_of(track_id) for track_id in "abe"]
    table.drop(["d"])
    put(table, f="F")
    assert -1 == table.columns["copies"][table.row_numbers(["f"])[0]]
    table.group({})
    assert (0, [-1] * 4) == (table.copies_of("a"), table.columns["copies"][:4].tolist())


def test_a_table_that_lacks_many_tracks() -> None:
    """It cannot be used for filters, however complete it was before."""
    table = TrackTable()
    table.is_complete = True
    assert not table.is_usable(1_000)
    put(table, **{str(number): "A" for number in range(990)})
    assert (True, False) == (table.is_usable(1_000), table.is_usable(1_100))


def test_an_album_whose_artist_has_a_line_break() -> None:
    """No text in the tags hides the title of an album."""
    table = TrackTable()
    table.put(["a"], [TrackFacts("a", artist="X\nY", album="Blue", artists=("X\nY", "Z"))])
    for wanted in (TrackFilter(albums=frozenset({"blue"})), TrackFilter(artists=frozenset({"z"}))):
        assert 1 == allowed_rows(table, wanted)[0].sum()


def test_a_mask_is_kept_until_a_track_changes() -> None:
    """The same facts change nothing; others are seen by the next call."""
    table = TrackTable()
    put(table, a="A", b="B")
    version = table.version
    put(table, a="A", b="B")
    assert version == table.version
    selector = TrackSelector(table)
    view = View(added={"a": embedding(1), "b": embedding(2)})
    query = TrackQuery(view.added["a"], 5, criteria=Criteria(TrackFilter(artists=frozenset({"b"}))))
    assert ["b"] == [neighbour.track_id for neighbour in selector.select(view, query).neighbours]
    put(table, a="B")
    assert ["a", "b"] == [neighbour.track_id for neighbour in selector.select(view, query).neighbours]


@pytest.mark.parametrize("folder", ["/music/a", "/music/a/", "/music//a", "/music/./a"])
def test_forms_of_a_folder(folder: str) -> None:
    """A folder is the same however it is written."""
    table = TrackTable()
    table.put(["a", "b"], [TrackFacts("a", path="/music/a/b/1.mp3"), TrackFacts("b", path="/music/ab/1.mp3")])
    allowed, _ = allowed_rows(table, TrackFilter(folders=(folder,)))
    assert [True, False] == allowed[:2].tolist()
