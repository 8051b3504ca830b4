"""The contract of every store, as far as files and failures go; see also test_store_contract.py."""

from __future__ import annotations

import pytest

from segue.core.catalogue.records import Event, FailureRecord
from segue.core.catalogue.store import WritableStore, all_track_ids
from tests.helpers.catalogue.tracks import MODEL, addition, track_id


def failure(path: str, reason: str = "AUDIO_SILENT", size: int = 100) -> FailureRecord:
    """Returns the failure of a file."""
    return FailureRecord(path, size, 1_700_000_000_123_456_789, reason, "It “is”\nsilent.", 1_700_000_000)


def test_a_track_in_two_files(any_store: WritableStore) -> None:
    """The same audio in two files is one track, and both files have it."""
    with any_store.writer(*MODEL) as writer:
        assert 1 == writer.add([addition(1, "/a"), addition(1, "/b")])
    assert [track_id(1), track_id(1)] == [file.track_id for file in any_store.files(["/a", "/b"]) if file]
    assert 1 == any_store.count()


@pytest.mark.parametrize("paths", [["/a", "/b"], ["/b", "/a"]])
def test_the_first_path_is_that_of_the_track(any_store: WritableStore, paths: list[str]) -> None:
    """A track has the path and the title of its first file, in whatever order its files come."""
    with any_store.writer(*MODEL) as writer:
        for path in paths:
            writer.add([addition(1, path, title=path)])
        assert [("/a", "/a")] == [(track.path, track.title) for track in any_store.get([track_id(1)]) if track]
        writer.add([addition(1, "/b", title="new"), addition(1, "/b", title="newer", seed=7)])
        assert ["/a"] == [track.title for track in any_store.get([track_id(1)]) if track]
        writer.add([addition(1, "/a", title="new")])
    assert ["new"] == [track.title for track in any_store.get([track_id(1)]) if track]
    assert [Event(1, "add", track_id(1))] == any_store.events(0, 10)


def test_a_file_with_another_track(any_store: WritableStore) -> None:
    """A file that now has other audio loses its old track, which is removed with its last file."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/b"), addition(1, "/a")])
        writer.add([addition(2, "/a")])
        assert ["/b"] == [track.path for track in any_store.get([track_id(1)]) if track]
        assert 4 == writer.add([addition(3, "/b")])
    assert [None] == any_store.get([track_id(1)])
    assert [None] == any_store.embeddings([track_id(1)])
    assert [Event(3, "remove", track_id(1)), Event(4, "add", track_id(3))] == any_store.events(2, 10)
    assert [track_id(2), track_id(3)] == list(all_track_ids(any_store))


def test_a_forgotten_file(any_store: WritableStore) -> None:
    """A track keeps its other files and takes the path of one; it is removed with its last file."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a"), addition(1, "/b"), addition(2)])
        assert 2 == writer.forget(["/a", "/never"])
        assert [None, "/b"] == [file and file.path for file in any_store.files(["/a", "/b"])]
        assert ["/b"] == [track.path for track in any_store.get([track_id(1)]) if track]
        assert 3 == writer.forget(["/b", "/b", "/a"])
    assert [None] == any_store.get([track_id(1)])
    assert [None] == any_store.embeddings([track_id(1)])
    assert [track_id(2)] == any_store.track_ids("", 10)
    assert [Event(3, "remove", track_id(1))] == any_store.events(2, 10)


def test_many_forgotten_files(any_store: WritableStore) -> None:
    """More files than a transaction has can be forgotten, also the files of one track in two transactions."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(number % 100, f"/{number:03}") for number in range(200)])
        assert 100 == writer.forget([f"/{number:03}" for number in range(100)])
        assert 150 == writer.forget([f"/{number:03}" for number in range(100, 150)])
    assert [f"/{number:03}" for number in range(150, 200)] == sorted(file.path for file in any_store.all_files())


def test_the_files_of_tracks(any_store: WritableStore) -> None:
    """The paths of each track are read in ascending order, and all files can be listed."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/b"), addition(1, "/a"), addition(2, "/caf\udce9")])
    assert [["/a", "/b"], ["/caf\udce9"], []] == any_store.paths([track_id(1), track_id(2), track_id(3)])
    assert [] == any_store.paths([])
    expected = any_store.files(["/a", "/b", "/caf\udce9"])
    assert expected == sorted(any_store.all_files(), key=lambda file: file.path)


def test_failures(any_store: WritableStore) -> None:
    """The last failure of a file is read as it was written, alone and with all others; it is not an event."""
    failures = [failure(f"/{number:03}/caf\udce9") for number in range(150)]
    later = failure(failures[0].path, "WORKER_DIED", size=7)
    with any_store.writer(*MODEL) as writer:
        writer.record_failures(failures)
        writer.record_failures([later])
        writer.record_failures([])
    assert [later, failures[1], None] == any_store.failures([failures[0].path, failures[1].path, "/good"])
    assert [file.path for file in failures] == sorted(file.path for file in any_store.all_failures())
    assert [] == any_store.failures([])
    assert (0, 0, []) == (any_store.count(), any_store.revision(), list(any_store.all_files()))


def test_the_end_of_a_failure(any_store: WritableStore) -> None:
    """A file that is added, forgotten or cleared has no failure; clearing leaves its track as it is."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(4, "/d"), addition(5, "/e")])
        writer.record_failures([failure(path) for path in ("/a", "/b", "/c", "/d", "/e")])
        assert 3 == writer.add([addition(1, "/a")])
        assert 4 == writer.forget(["/b", "/d"])
        writer.clear_failures(["/c", "/e", "/never"])
    assert [] == list(any_store.all_failures())
    assert ["/a", "/e"] == sorted(file.path for file in any_store.all_files())
