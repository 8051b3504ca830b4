"""What every store does, asked of each of them: in memory, on Segue's own server, and on a Redis from elsewhere."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from segue.core.catalogue.records import Addition, Event, FailureRecord, PathRecord, Track, Vector
from segue.core.catalogue.store import TrackStore, WritableStore, all_track_ids
from segue.core.errors import CatalogueLocked, CatalogueMismatch, EmbeddingUnusable
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private_server import PrivateRedis
from segue.core.redis_catalogue.store import RedisStore
from segue.core.testing.memory_store import MemoryStore

WIDTH = 8
MAKER = ("segue-test-1", "front-end-1", WIDTH)


@pytest.fixture(params=["memory", "private_redis", "path_redis"])
def store(request: pytest.FixtureRequest) -> Iterator[WritableStore]:
    """An empty catalogue of each kind."""
    if request.param == "memory":
        yield MemoryStore()
        return
    local: PrivateRedis = request.getfixturevalue(request.param)
    redis = RedisStore(local.url, RedisKeys(uuid.uuid4().hex))
    yield redis
    redis.close()


def track_id(number: int) -> str:
    """The id of the test's track of this number."""
    return f"{number:032x}"


def embedding(seed: int) -> Vector:
    """A vector [WIDTH] of length 1."""
    vector = np.random.default_rng(seed).standard_normal(WIDTH).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def addition(number: int, path: str | None = None, *, seed: int | None = None, title: str = "") -> Addition:
    """The addition of the test's track of this number."""
    path = path or f"/music/{number}.flac"
    track = Track(track_id(number), title or f"Track {number}", genre="blues", path=path, posterior={"blues": 1.0})
    return Addition(track, embedding(number if seed is None else seed), PathRecord(path, 100, 7, track_id(number)))


def everything(store: TrackStore, paths: list[str]) -> tuple[object, ...]:
    """All that can be read of a catalogue."""
    ids = list(all_track_ids(store))
    vectors = [None if vector is None else vector.tobytes() for vector in store.embeddings(ids)]
    known = [store.get(ids), vectors, store.paths(ids), store.files(paths)]
    return (store.revision(), store.count(), ids, known, store.events(0, 10_000))


def test_a_new_catalogue_is_empty(store: WritableStore) -> None:
    """Where nothing was ever written, every question has an answer that says so."""
    assert store.identity() is None
    assert (0, 1, 0) == (store.revision(), store.oldest_revision(), store.count())
    assert [None] == store.get([track_id(1)])
    assert [None] == store.embeddings([track_id(1)])
    assert [None] == store.files(["/music/1.flac"])
    assert [] == store.get([])
    assert [] == store.embeddings([])
    assert [] == store.files([])
    assert [] == store.track_ids("", 10)
    assert [] == store.events(0, 10)


def test_what_was_added_is_read_back(store: WritableStore) -> None:
    """Metadata, embedding and file come back as they went in, to the last bit and the strangest byte."""
    path = "/music/caf\udce9 / \n \u266b.flac"
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
    )
    file = PathRecord(path, 2**40, 1_700_000_000_123_456_789, track_id(1))
    with store.writer(*MAKER) as writer:
        assert 1 == writer.add([Addition(track, embedding(1), file)])
    assert [track, None] == store.get([track_id(1), track_id(2)])
    assert [file, None] == store.files([path, "/elsewhere"])
    vector, missing = store.embeddings([track_id(1), track_id(2)])
    assert missing is None
    assert vector is not None
    assert (np.dtype(np.float32), embedding(1).tobytes()) == (vector.dtype, vector.tobytes())
    assert 1 == store.count()


def test_revisions_have_no_gap(store: WritableStore) -> None:
    """Every event has the next number, over batches, additions and removals."""
    with store.writer(*MAKER) as writer:
        assert 150 == writer.add([addition(number) for number in range(150)])
        assert 220 == writer.remove([track_id(number) for number in range(70)])
        assert 221 == writer.add([addition(3)])
    events = store.events(0, 1_000)
    assert list(range(1, 222)) == [event.revision for event in events]
    assert [*["add"] * 150, *["remove"] * 70, "add"] == [event.kind for event in events]
    assert Event(221, "add", track_id(3)) == events[-1]
    assert (221, 1, 81) == (store.revision(), store.oldest_revision(), store.count())


def test_events_come_in_pages(store: WritableStore) -> None:
    """Following the stream from any event gives those behind it, as many as were asked for."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(number) for number in range(5)])
    assert [3, 4] == [event.revision for event in store.events(2, 2)]
    assert [] == store.events(5, 10)


def test_dropped_events_keep_their_numbers(store: WritableStore) -> None:
    """A stream that was trimmed says where it begins, and goes on from the same number, also when it is empty."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(number) for number in range(5)])
        writer.trim(3)
        assert (4, 5) == (store.oldest_revision(), store.revision())
        assert [4, 5] == [event.revision for event in store.events(0, 10)]
        assert [5] == [event.revision for event in store.events(4, 10)]
        writer.trim(5)
        assert (6, 5, []) == (store.oldest_revision(), store.revision(), store.events(0, 10))
        assert 6 == writer.add([addition(9)])
    assert [Event(6, "add", track_id(9))] == store.events(5, 10)
    assert 6 == store.count()


def test_ids_come_in_pages_and_in_order(store: WritableStore) -> None:
    """Ids lie in their own order, whatever the order of adding, and paging neither repeats nor skips one."""
    numbers = random.Random(1).sample(range(10_000), 25)
    with store.writer(*MAKER) as writer:
        writer.add([addition(number) for number in numbers])
    expected = sorted(track_id(number) for number in numbers)
    assert expected[:10] == store.track_ids("", 10)
    assert expected[10:12] == store.track_ids(expected[9], 2)
    assert [] == store.track_ids(expected[-1], 10)
    assert expected == list(all_track_ids(store, page=4))


def test_the_same_again_is_no_event(store: WritableStore) -> None:
    """A track that comes again with the same embedding gets its new metadata, and followers have nothing to do."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(1)])
        assert 1 == writer.add([addition(1, title="Better title")])
    assert ["Better title"] == [track.title for track in store.get([track_id(1)]) if track]
    assert (1, 1) == (store.count(), store.revision())


def test_a_new_embedding_is_an_event(store: WritableStore) -> None:
    """A track that sounds different now is announced, and is still one track."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(1)])
        assert 2 == writer.add([addition(1, seed=99)])
    (vector,) = store.embeddings([track_id(1)])
    assert vector is not None
    assert embedding(99).tobytes() == vector.tobytes()
    assert (1, Event(2, "add", track_id(1))) == (store.count(), store.events(1, 10)[0])


def test_one_track_in_two_places(store: WritableStore) -> None:
    """The same audio under two paths is one track, and both paths point to it."""
    with store.writer(*MAKER) as writer:
        assert 1 == writer.add([addition(1, "/a"), addition(1, "/b")])
    assert [track_id(1), track_id(1)] == [file.track_id for file in store.files(["/a", "/b"]) if file]
    assert 1 == store.count()


def test_a_track_goes_with_its_last_file(store: WritableStore) -> None:
    """A file that holds other audio now takes its old track along, unless that has another file."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(1, "/b"), addition(1, "/a")])
        writer.add([addition(2, "/a")])
        assert ["/b"] == [track.path for track in store.get([track_id(1)]) if track]
        assert 4 == writer.add([addition(3, "/b")])
    assert [None] == store.get([track_id(1)])
    assert [None] == store.embeddings([track_id(1)])
    assert [Event(3, "remove", track_id(1)), Event(4, "add", track_id(3))] == store.events(2, 10)
    assert [track_id(2), track_id(3)] == list(all_track_ids(store))


def test_a_forgotten_file_takes_its_track_along_if_it_is_the_last(store: WritableStore) -> None:
    """A track keeps its other files and goes by one of them; with its last file it goes, and nothing of it is left."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(1, "/a"), addition(1, "/b"), addition(2)])
        assert 2 == writer.forget(["/a", "/never"])
        assert [None, "/b"] == [file and file.path for file in store.files(["/a", "/b"])]
        assert ["/b"] == [track.path for track in store.get([track_id(1)]) if track]
        assert 3 == writer.forget(["/b", "/b", "/a"])
    assert [None] == store.get([track_id(1)])
    assert [None] == store.embeddings([track_id(1)])
    assert [track_id(2)] == store.track_ids("", 10)
    assert [Event(3, "remove", track_id(1))] == store.events(2, 10)


def test_many_files_are_forgotten(store: WritableStore) -> None:
    """More than one transaction holds are forgotten, the files of one track in different transactions too."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(number % 100, f"/{number:03}") for number in range(200)])
        assert 100 == writer.forget([f"/{number:03}" for number in range(100)])
        assert 150 == writer.forget([f"/{number:03}" for number in range(100, 150)])
    assert [f"/{number:03}" for number in range(150, 200)] == sorted(file.path for file in store.all_files())


def test_files_are_found_by_their_track(store: WritableStore) -> None:
    """Every path of a track is known, in their order, and all files can be listed."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(1, "/b"), addition(1, "/a"), addition(2, "/caf\udce9")])
    assert [["/a", "/b"], ["/caf\udce9"], []] == store.paths([track_id(1), track_id(2), track_id(3)])
    assert [] == store.paths([])
    records = store.files(["/a", "/b", "/caf\udce9"])
    assert records == sorted(store.all_files(), key=lambda file: file.path)


def failure(path: str, reason: str = "AUDIO_SILENT", size: int = 100) -> FailureRecord:
    """How a file failed."""
    return FailureRecord(path, size, 1_700_000_000_123_456_789, reason, "Nothing “can” be\nheard.", 1_700_000_000)


def test_failures_are_kept(store: WritableStore) -> None:
    """How a file failed last is read back to the last byte, alone and with all others; it is no event."""
    many = [failure(f"/{number:03}/caf\udce9") for number in range(150)]
    with store.writer(*MAKER) as writer:
        writer.note_failures(many)
        writer.note_failures([failure(many[0].path, "WORKER_DIED", size=7)])
        writer.note_failures([])
    assert [failure(many[0].path, "WORKER_DIED", size=7), many[1], None] == store.failures(
        [many[0].path, many[1].path, "/good"]
    )
    assert [file.path for file in many] == sorted(file.path for file in store.all_failures())
    assert [] == store.failures([])
    assert (0, 0, []) == (store.count(), store.revision(), list(store.all_files()))


def test_a_failure_ends_with_its_cause(store: WritableStore) -> None:
    """A file that was added, forgotten or cleared failed no more; clearing leaves its track as it is."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(4, "/d"), addition(5, "/e")])
        writer.note_failures([failure(path) for path in ("/a", "/b", "/c", "/d", "/e")])
        assert 3 == writer.add([addition(1, "/a")])
        assert 4 == writer.forget(["/b", "/d"])
        writer.clear_failures(["/c", "/e", "/never"])
    assert [] == list(store.all_failures())
    assert ["/a", "/e"] == sorted(file.path for file in store.all_files())


def test_a_removed_track_leaves_nothing(store: WritableStore) -> None:
    """Removal takes metadata, embedding, files and id along, once; an unknown id is passed over."""
    with store.writer(*MAKER) as writer:
        writer.add([addition(1, "/a"), addition(1, "/b"), addition(2)])
        assert 3 == writer.remove([track_id(1), track_id(1), track_id(77)])
    assert [None] == store.get([track_id(1)])
    assert [None] == store.embeddings([track_id(1)])
    assert [None, None] == store.files(["/a", "/b"])
    assert [track_id(2)] == store.track_ids("", 10)
    assert [Event(3, "remove", track_id(1))] == store.events(2, 10)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros(WIDTH, np.float32),
        np.full(WIDTH, np.nan, np.float32),
        np.full(WIDTH, np.inf, np.float32),
        np.ones(WIDTH, np.float32),
        np.ones(1, np.float32),
    ],
    ids=["zero", "nan", "infinite", "long", "narrow"],
)
def test_a_bad_embedding_writes_nothing(store: WritableStore, bad: Vector) -> None:
    """A vector that would poison every search is refused, and the good ones beside it are not half written."""
    with store.writer(*MAKER) as writer:
        poisoned = Addition(addition(2).track, bad, addition(2).file)
        with pytest.raises(EmbeddingUnusable, match="embedding"):
            writer.add([addition(1), poisoned])
    assert (0, 0) == (store.count(), store.revision())


def test_a_catalogue_keeps_what_it_is(store: WritableStore) -> None:
    """The first writer makes the identity; later ones find the same."""
    with store.writer(*MAKER):
        first = store.identity()
    with store.writer(*MAKER):
        pass
    assert first is not None
    assert (*MAKER, 36) == (first.model_id, first.fingerprint, first.width, len(first.uuid))
    assert first == store.identity()


@pytest.mark.parametrize("other", [("other", MAKER[1], WIDTH), (MAKER[0], "other", WIDTH), (*MAKER[:2], WIDTH + 1)])
def test_another_model_is_refused(store: WritableStore, other: tuple[str, str, int]) -> None:
    """A writer with another model, front end or width learns both names, and does not keep the lock."""
    with store.writer(*MAKER):
        pass
    with pytest.raises(CatalogueMismatch) as refused, store.writer(*other):
        pass
    for name in (*MAKER, *other):
        assert str(name) in str(refused.value)
    with store.writer(*MAKER):
        pass


def test_a_second_writer_is_refused(store: WritableStore) -> None:
    """There is one writer at a time, and the next may come when it has gone, even if it went in error."""
    with store.writer(*MAKER), pytest.raises(CatalogueLocked, match="is being written by"), store.writer(*MAKER):
        pass
    with pytest.raises(RuntimeError, match="broken"), store.writer(*MAKER):
        raise RuntimeError("broken")
    with store.writer(*MAKER) as writer:
        assert 1 == writer.add([addition(1)])


@pytest.mark.parametrize("seed", range(8))
def test_every_store_tells_the_same_story(store: WritableStore, seed: int) -> None:
    """After the same random additions, removals and forgotten files, a store says the same as the one in memory."""
    dice, oracle = random.Random(seed), MemoryStore()
    paths = [f"/{number}" for number in range(6)]
    with store.writer(*MAKER) as writer, oracle.writer(*MAKER) as expected:
        for _ in range(12):
            if dice.random() < 0.75:
                batch = [
                    addition(dice.randrange(5), dice.choice(paths), seed=dice.randrange(3))
                    for _ in range(dice.randrange(1, 6))
                ]
                assert expected.add(batch) == writer.add(batch)
            elif dice.random() < 0.5:
                gone = [track_id(dice.randrange(5)) for _ in range(2)]
                assert expected.remove(gone) == writer.remove(gone)
            else:
                left = [dice.choice(paths) for _ in range(2)]
                assert expected.forget(left) == writer.forget(left)
            assert everything(oracle, paths) == everything(store, paths)
