"""The contract of every store, as far as tracks and events go; see also test_store_contract_of_files.py."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.identity import CatalogueState, ModelKey
from segue.core.catalogue.records import Addition, Event, PathRecord, Track, TrackFacts, Vector
from segue.core.catalogue.store import WritableStore, all_track_ids
from segue.core.errors import CatalogueLocked, CatalogueMismatch, EmbeddingUnusable
from segue.core.testing.memory_store import MemoryStore
from tests.helpers.catalogue.random_metadata import any_metadata, content
from tests.helpers.catalogue.tracks import MODEL, WIDTH, addition, additions, embedding, track_id


def test_a_new_catalogue_is_empty(any_store: WritableStore) -> None:
    """Before the first writer, every method returns an empty result."""
    assert any_store.identity() is None
    assert (0, 1, 0) == (any_store.revision(), any_store.state().oldest_revision, any_store.count())
    assert CatalogueState(None, 1, 0, 0) == any_store.state()
    assert [None] == any_store.get([track_id(1)])
    assert [None] == any_store.embeddings([track_id(1)])
    assert [None] == any_store.files(["/music/1.flac"])
    assert [] == any_store.get([])
    assert [] == any_store.embeddings([])
    assert [] == any_store.files([])
    assert [] == any_store.track_ids("", 10)
    assert [] == any_store.events(0, 10)


def test_an_added_track(any_store: WritableStore) -> None:
    """Metadata, embedding and file are read as they were written, to the last bit and with any byte in a path."""
    path = display_path(Path("/music/caf\udce9 / \n \u266b.flac"))
    track = Track(
        track_id(1),
        title="Träume & \u266b",
        artist="A",
        album="B",
        genre="jazz",
        tagged_genre="Jazz",
        year="1959",
        seconds=187.123456789,
        path=path,
        posterior={"jazz": 0.75, "blues": 0.25},
        artists=("A", "Ü"),
        tagged_genres=("Jazz", "Blues"),
        album_artist="Various",
        track_number=3,
        disc_number=2,
        isrc="USRC17607839",
        musicbrainz_recording_id="00000000-0000-4000-8000-000000000001",
        musicbrainz_release_id="00000000-0000-4000-8000-000000000002",
        musicbrainz_artist_ids=("00000000-0000-4000-8000-000000000003",),
        tag_scores="4nGvQf8AgA==",
    )
    file = PathRecord(path, 2**40, 1_700_000_000_123_456_789, track_id(1))
    with any_store.writer(*MODEL) as writer:
        assert 1 == writer.add([Addition(track, embedding(1), file)])
    assert [track, None] == any_store.get([track_id(1), track_id(2)])
    assert [file, None] == any_store.files([path, "/elsewhere"])
    vector, missing = any_store.embeddings([track_id(1), track_id(2)])
    assert missing is None
    assert vector is not None
    assert (np.dtype(np.float32), embedding(1).tobytes()) == (vector.dtype, vector.tobytes())
    assert 1 == any_store.count()


def test_tags_that_a_file_no_longer_has(any_store: WritableStore) -> None:
    """They leave the track when it is written again."""
    full, bare = addition(1), replace(addition(1), track=Track(track_id(1), "1", path="/music/1/1.flac"))
    with any_store.writer(*MODEL) as writer:
        writer.add([full])
        writer.add([bare])
    assert [bare.track] == any_store.get([track_id(1)])


def test_revisions_have_no_gap(any_store: WritableStore) -> None:
    """Every event has the next number, across batches, additions and removals."""
    with any_store.writer(*MODEL) as writer:
        assert 150 == writer.add(additions(*range(150)))
        assert 220 == writer.remove([track_id(number) for number in range(70)])
        assert 221 == writer.add([addition(3)])
    events = any_store.events(0, 1_000)
    assert list(range(1, 222)) == [event.revision for event in events]
    assert [*["add"] * 150, *["remove"] * 70, "add"] == [event.kind for event in events]
    assert Event(221, "add", track_id(3)) == events[-1]
    assert (221, 1, 81) == (any_store.revision(), any_store.state().oldest_revision, any_store.count())
    assert CatalogueState(any_store.identity(), 1, 221, 81) == any_store.state()


def test_events_in_pages(any_store: WritableStore) -> None:
    """Events can be read from any revision on, a limited number at a time."""
    with any_store.writer(*MODEL) as writer:
        writer.add(additions(*range(5)))
    assert [3, 4] == [event.revision for event in any_store.events(2, 2)]
    assert [] == any_store.events(5, 10)


def test_a_trimmed_stream(any_store: WritableStore) -> None:
    """The remaining events keep their revisions, and new ones continue them, even if the stream is empty."""
    with any_store.writer(*MODEL) as writer:
        writer.add(additions(*range(5)))
        writer.trim(3)
        assert (4, 5) == (any_store.state().oldest_revision, any_store.revision())
        assert [4, 5] == [event.revision for event in any_store.events(0, 10)]
        assert [5] == [event.revision for event in any_store.events(4, 10)]
        writer.trim(5)
        assert (6, 5, []) == (any_store.state().oldest_revision, any_store.revision(), any_store.events(0, 10))
        assert CatalogueState(any_store.identity(), 6, 5, 5) == any_store.state()
        assert 6 == writer.add([addition(9)])
    assert [Event(6, "add", track_id(9))] == any_store.events(5, 10)
    assert 6 == any_store.count()


def test_ids_in_pages(any_store: WritableStore) -> None:
    """Ids are read in ascending order, whatever the order of adding, and each page continues the last one."""
    numbers = random.Random(1).sample(range(10_000), 25)
    with any_store.writer(*MODEL) as writer:
        writer.add(additions(*numbers))
    expected = sorted(track_id(number) for number in numbers)
    assert expected[:10] == any_store.track_ids("", 10)
    assert expected[10:12] == any_store.track_ids(expected[9], 2)
    assert [] == any_store.track_ids(expected[-1], 10)
    assert expected == list(all_track_ids(any_store, page=4))


def test_a_track_with_the_same_embedding(any_store: WritableStore) -> None:
    """A track that is added again with the same embedding gets the new metadata, without an event."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1)])
        assert 1 == writer.add([addition(1, title="Better title")])
    assert ["Better title"] == [track.title for track in any_store.get([track_id(1)]) if track]
    assert (1, 1) == (any_store.count(), any_store.revision())


def test_a_track_with_a_new_embedding(any_store: WritableStore) -> None:
    """A track that is added again with another embedding has a new event, and is still one track."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1)])
        assert 2 == writer.add([addition(1, seed=99)])
    (vector,) = any_store.embeddings([track_id(1)])
    assert vector is not None
    assert embedding(99).tobytes() == vector.tobytes()
    assert (1, Event(2, "add", track_id(1))) == (any_store.count(), any_store.events(1, 10)[0])


def test_a_removed_track(any_store: WritableStore) -> None:
    """Its metadata, embedding, files and id are removed, once; unknown ids are skipped."""
    with any_store.writer(*MODEL) as writer:
        writer.add([addition(1, "/a"), addition(1, "/b"), addition(2)])
        assert 3 == writer.remove([track_id(1), track_id(1), track_id(77)])
    assert [None] == any_store.get([track_id(1)])
    assert [None] == any_store.embeddings([track_id(1)])
    assert [None, None] == any_store.files(["/a", "/b"])
    assert [track_id(2)] == any_store.track_ids("", 10)
    assert [Event(3, "remove", track_id(1))] == any_store.events(2, 10)


@pytest.mark.parametrize(
    "unusable",
    [
        np.zeros(WIDTH, np.float32),
        np.full(WIDTH, np.nan, np.float32),
        np.full(WIDTH, np.inf, np.float32),
        np.ones(WIDTH, np.float32),
        np.ones(1, np.float32),
    ],
    ids=["zero", "nan", "infinite", "long", "narrow"],
)
def test_an_unusable_embedding(any_store: WritableStore, unusable: Vector) -> None:
    """A vector that would spoil every search is refused, and nothing of its batch is written."""
    with any_store.writer(*MODEL) as writer:
        spoiled = Addition(addition(2).track, unusable, addition(2).file)
        with pytest.raises(EmbeddingUnusable, match="embedding"):
            writer.add([addition(1), spoiled])
    assert (0, 0) == (any_store.count(), any_store.revision())


def test_the_identity(any_store: WritableStore) -> None:
    """The first writer creates the identity, and later ones keep it."""
    with any_store.writer(*MODEL):
        identity = any_store.identity()
    with any_store.writer(*MODEL):
        pass
    assert identity is not None
    assert (MODEL, 36) == (identity.key, len(identity.uuid))
    assert identity == any_store.identity()


@pytest.mark.parametrize(
    "other",
    [MODEL._replace(model_id="other"), MODEL._replace(fingerprint="other"), MODEL._replace(width=WIDTH + 1)],
)
def test_another_model(any_store: WritableStore, other: ModelKey) -> None:
    """A writer with another model, front end or width gets an error that names both, and no lock."""
    with any_store.writer(*MODEL):
        pass
    with pytest.raises(CatalogueMismatch) as error, any_store.writer(*other):
        pass
    for property_of_model in (*MODEL, *other):
        assert str(property_of_model) in str(error.value)
    with any_store.writer(*MODEL):
        pass


def test_a_second_writer(any_store: WritableStore) -> None:
    """There is one writer at a time; the next one may write when it has ended, even by an error."""
    locked = pytest.raises(CatalogueLocked, match="is being written by")
    with any_store.writer(*MODEL), locked, any_store.writer(*MODEL):
        pass
    with pytest.raises(RuntimeError, match="broken"), any_store.writer(*MODEL):
        raise RuntimeError("broken")
    with any_store.writer(*MODEL) as writer:
        assert 1 == writer.add([addition(1)])


@pytest.mark.parametrize("seed", range(8))
def test_all_stores_are_equivalent(any_store: WritableStore, seed: int) -> None:
    """After the same random additions, removals and forgotten files, a store equals the one in memory."""
    dice, reference = random.Random(seed), MemoryStore()
    paths = [f"/{number}" for number in range(6)]
    with any_store.writer(*MODEL) as writer, reference.writer(*MODEL) as expected:
        for _ in range(12):
            if dice.random() < 0.75:
                batch = [
                    addition(dice.randrange(5), dice.choice(paths), seed=dice.randrange(3), own=any_metadata(dice))
                    for _ in range(dice.randrange(1, 6))
                ]
                assert expected.add(batch) == writer.add(batch)
            elif dice.random() < 0.3:
                files = [addition(dice.randrange(5), path, own=any_metadata(dice)).file for path in paths]
                expected.describe(files)
                writer.describe(files)
            elif dice.random() < 0.5:
                ids = [track_id(dice.randrange(5)) for _ in range(2)]
                assert expected.remove(ids) == writer.remove(ids)
            else:
                forgotten = [dice.choice(paths) for _ in range(2)]
                assert expected.forget(forgotten) == writer.forget(forgotten)
            assert content(reference, paths) == content(any_store, paths)


def test_facts(any_store: WritableStore) -> None:
    """The facts of a track are those of its metadata, with None for unknown ids."""
    with any_store.writer(*MODEL) as writer:
        added = addition(1, "/music/café.flac", title="Träume")
        writer.add([replace(added, track=replace(added.track, artists=("A", "B"), year="1999"))])
    (track,) = any_store.get([track_id(1)])
    assert track is not None
    assert [TrackFacts.of(track), None] == any_store.facts([track_id(1), track_id(2)])
    assert ("Träume", ("A", "B"), "1999") == (track.title, track.artists, track.year)
    assert [] == any_store.facts([])


def test_the_last_write(any_store: WritableStore) -> None:
    """It changes with every write, also one without an event, and with nothing else."""
    with any_store.writer(*MODEL) as writer:
        writes = [any_store.state().last_write]
        for title in ("Old", "New"):
            writer.add([addition(1, "/music/b", title=title)])
            writes.append(any_store.state().last_write)
        writer.add([addition(1, "/music/a", title="New")])
        writes.append(any_store.state().last_write)
        writer.forget(["/music/a"])
        writes.append(any_store.state().last_write)
        writer.remove([track_id(1)])
        writes.append(any_store.state().last_write)
    assert [2] == [any_store.state().revision]
    assert len(writes) == len({*writes})
    assert any_store.state().last_write == any_store.state().last_write


def test_the_write_mark(any_store: WritableStore) -> None:
    """The mark changes when a writer begins and when it ends, and not in between two writers."""
    marks = [any_store.write_mark()]
    with any_store.writer(*MODEL):
        marks.append(any_store.write_mark())
    marks += [any_store.write_mark(), any_store.write_mark()]
    assert marks[2] == marks[3]
    assert 3 == len(set(marks))
