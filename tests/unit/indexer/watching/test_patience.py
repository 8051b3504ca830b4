from __future__ import annotations

from segue.core.errors import CatalogueLocked, StoreUnavailable
from segue.indexer.watching.patience import Patience
from segue.indexer.watching.publication import Publication
from tests.unit.indexer.watching.test_settling import Clock


def test_pauses_become_longer_up_to_a_limit() -> None:
    """The pauses double up to 30 s, or 2 s while another process writes; a success ends them."""
    clock = Clock()
    patience = Patience(clock)
    pauses = []
    for _ in range(9):
        patience.failed(StoreUnavailable("away"))
        pauses.append(patience.seconds_left())
        assert not patience.may_try()
        clock.now += patience.seconds_left()
    assert [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30] == pauses
    patience.failed(CatalogueLocked("locked"))
    assert 2 == patience.seconds_left()
    patience.succeeded()
    assert patience.may_try()


def test_a_problem_is_said_once_and_so_is_its_end() -> None:
    """A failure that passes within three seconds is silent; another one is said once, until a success."""
    clock = Clock()
    patience = Patience(clock)
    assert (False, False) == (patience.failed(StoreUnavailable("away")), patience.succeeded())
    said = []
    for _ in range(5):
        said.append(patience.failed(StoreUnavailable("away")))
        clock.now += 2
    assert [False, False, True, False, False] == said
    assert (True, False) == (patience.failed(CatalogueLocked("locked")), patience.failed(CatalogueLocked("locked")))
    assert (True, False) == (patience.succeeded(), patience.succeeded())


def test_the_index_is_published_after_a_quiet_minute() -> None:
    """Ten minutes after the first change it is published anyway, but in at most a 20th of the time."""
    clock = Clock()
    publication = Publication(clock)
    assert (False, False) == (publication.lacks_changes, publication.is_due())
    publication.note_change()
    clock.now += 59
    assert (True, False) == (publication.lacks_changes, publication.is_due())
    clock.now += 1
    assert publication.is_due()
    publication.note_published(seconds=40)
    assert (False, False) == (publication.lacks_changes, publication.is_due())
    for _ in range(12):
        publication.note_change()
        clock.now += 50
        assert not publication.is_due()
    for _ in range(4):
        publication.note_change()
        clock.now += 50
    assert publication.is_due()
    publication.note_published(seconds=40)
    publication.hasten()
    assert publication.is_due()
