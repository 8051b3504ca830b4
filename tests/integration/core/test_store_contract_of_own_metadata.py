"""The contract of every store, as far as the metadata of a file's owner go."""

from __future__ import annotations

from dataclasses import replace

from segue.core.catalogue.external_ids import resolve_ids, track_ids_of
from segue.core.catalogue.records import NO_METADATA, Attribute, OwnMetadata, TrackFacts
from segue.core.catalogue.store import TrackStore, WritableStore
from tests.helpers.catalogue.tracks import MODEL, addition, track_id

ATTRIBUTES: dict[str, Attribute] = {"mood": "calm", "bpm": 90.5, "live": False, "lists": ("a", "ü")}
OWN = OwnMetadata("42", "Own title", "Own artist", "", ATTRIBUTES)


def own_of_track(store: TrackStore, number: int) -> OwnMetadata:
    """Returns the owner's metadata of a track."""
    (track,) = store.get([track_id(number)])
    assert track is not None
    return track.own


def test_metadata_of_a_file(any_store: WritableStore) -> None:
    """They are read with the file and with its track, and replace the tags where they have a value."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a", own=OWN), addition(2)])
    (file,), (track,), (facts,) = (
        any_store.files(["/a"]),
        any_store.get([track_id(1)]),
        any_store.facts([track_id(1)]),
    )
    assert file is not None
    assert track is not None
    assert facts is not None
    assert OWN == file.own
    assert OWN == track.own
    assert ("Own title", "Own artist", "") == (facts.title, facts.artist, facts.album)
    assert (("Own artist",), OWN.attributes) == (facts.artists, facts.attributes)
    assert "Track 1" == track.title
    assert TrackFacts.of(track) == facts


def test_an_external_id(any_store: WritableStore) -> None:
    """It leads to the file and to its track; unknown ones lead to none."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a", own=OWN), addition(2)])
    assert ["/a", None] == any_store.external_paths(["42", "43"])
    assert [track_id(1), None] == track_ids_of(["42", "43"], any_store)
    given = [track_id(2), "external:42", "external:43", "external:42", "42"]
    assert [track_id(2), track_id(1), "external:43", track_id(1), "42"] == resolve_ids(given, any_store)
    assert [] == any_store.external_paths([])


def test_new_metadata_of_a_known_file(any_store: WritableStore) -> None:
    """They replace the old ones as a whole, without an event; the old external id leads nowhere."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a", own=OWN)])
        before = any_store.state()
        writer.describe([addition(1, "/a", own=OwnMetadata("43")).file])
        assert (["/a", None], OwnMetadata("43")) == (any_store.external_paths(["43", "42"]), own_of_track(any_store, 1))
        assert (before.revision, True) == (any_store.revision(), before.last_write != any_store.state().last_write)
        writer.describe([addition(1, "/a").file])
        assert ([None], NO_METADATA) == (any_store.external_paths(["43"]), own_of_track(any_store, 1))


def test_metadata_of_unknown_files_are_skipped(any_store: WritableStore) -> None:
    """A file that left the catalogue, or holds another track by now, is not written."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a")])
        writer.describe([addition(2, "/a", own=OWN).file, addition(1, "/b", own=OWN).file])
    assert ([None], NO_METADATA) == (any_store.external_paths(["42"]), own_of_track(any_store, 1))


def test_an_external_id_goes_to_another_file(any_store: WritableStore) -> None:
    """The last file that gets it has it, and the one before keeps its other metadata, also in its track."""
    without = replace(OWN, external_id="")
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a", own=OWN), addition(2, "/b", own=OWN)])
        assert ["/b"] == any_store.external_paths(["42"])
        assert [without, OWN] == [file and file.own for file in any_store.files(["/a", "/b"])]
        assert (without, OWN) == (own_of_track(any_store, 1), own_of_track(any_store, 2))
        writer.describe([addition(1, "/a", own=OWN).file])
        assert [track_id(1)] == track_ids_of(["42"], any_store)
        writer.forget(["/a"])
        assert ([None], without) == (any_store.external_paths(["42"]), own_of_track(any_store, 2))


def test_an_external_id_goes_to_a_file_of_the_same_track(any_store: WritableStore) -> None:
    """The track keeps it, whichever file has it."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a", own=OWN)])
        writer.add([addition(1, "/b", own=OWN), addition(1, "/c", own=OWN)])
        assert ["/c"] == any_store.external_paths(["42"])
        writer.forget(["/a", "/b"])
        assert ([track_id(1)], OWN) == (track_ids_of(["42"], any_store), own_of_track(any_store, 1))


def test_metadata_of_a_track_with_several_files(any_store: WritableStore) -> None:
    """A track has those of its first file that has some, in the order of the paths; all external ids lead to it."""
    second, third = OwnMetadata("2", "Two"), OwnMetadata("3", "Three")
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/c", own=third), addition(1, "/a"), addition(1, "/b", own=second)])
        assert (second, "/a") == (own_of_track(any_store, 1), any_store.paths([track_id(1)])[0][0])
        assert [track_id(1), track_id(1)] == track_ids_of(["2", "3"], any_store)
        writer.forget(["/b"])
        assert (third, [None]) == (own_of_track(any_store, 1), any_store.external_paths(["2"]))
        writer.add([addition(2, "/c", own=third)])
        assert (NO_METADATA, third) == (own_of_track(any_store, 1), own_of_track(any_store, 2))


def test_metadata_of_a_removed_track(any_store: WritableStore) -> None:
    """They are gone with it."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a", own=OWN)])
        writer.remove([track_id(1)])
        assert [None] == any_store.external_paths(["42"])
        writer.add([addition(1, "/a")])
    assert NO_METADATA == own_of_track(any_store, 1)
