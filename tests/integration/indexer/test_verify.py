"""Verify finds each kind of damage of a catalogue, and repairs what can be repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from segue.core.catalogue.records import OwnMetadata
from segue.core.catalogue.store import all_track_ids
from segue.core.index.snapshot import load_newest
from segue.core.index.snapshot_header import HEADER, INDEX, TRACK_IDS
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.damage import METADATA
from tests.helpers.catalogue.damage import Damage as RecordDamage
from tests.helpers.catalogue.tracks import addition, track_id
from tests.helpers.indexer import run, write_library

KEYS = RedisKeys()
# Tracks with two files and with one.
TWO, ONE = track_id(3), track_id(4)

Damage = Callable[[Any], object]


@pytest.fixture
def client(catalogue: RedisStore) -> Iterator[Any]:
    """A Redis client that can damage the catalogue, which has a removed track and a track with two files."""
    with catalogue.writer("model", "front end", 16) as writer:
        writer.add([addition(3, "/elsewhere/3.flac")])
        writer.remove([track_id(0)])
        writer.add([addition(20)])
        writer.describe([addition(3, own=OwnMetadata("three", attributes={"mood": "calm"})).file])
    client = Redis.from_url(catalogue.address, protocol=2)
    yield client
    client.close()


@pytest.fixture
def data(client: Any, tmp_path: Path) -> Path:  # noqa: ANN401 - redis-py types its answers for every protocol at once
    """The data folder, with an index of that catalogue and an older one."""
    assert client.ping()
    assert 0 == run("rebuild", "--data", tmp_path).exit_code
    assert 0 == run("remove", track_id(1), "--data", tmp_path).exit_code
    return tmp_path


def problems(data: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Returns the exit code of verify, and the problems that it found."""
    ended = run("verify", "--data", data, "--json", *options)
    return ended.exit_code, json.loads(ended.stdout)["problems"]


def test_a_sound_catalogue_has_no_problems(data: Path) -> None:
    """Verify finds nothing, and a repair changes nothing."""
    ended = run("verify", "--data", data)

    assert (0, "") == (ended.exit_code, ended.stderr)
    assert ended.stdout.startswith("No problems found in ")
    assert ended.stdout.endswith("The catalogue has 19 tracks.\n")
    assert (0, []) == problems(data, "--repair")


def test_renamed_and_forgotten_files_are_no_problem(data: Path, catalogue: RedisStore) -> None:
    """The digest of a track matches after every change of its files."""
    with catalogue.writer("model", "front end", 16) as writer:
        writer.forget(["/elsewhere/3.flac"])
        writer.add([addition(5, "/elsewhere/5.flac"), addition(6, "/music/1/7.flac")])

    assert (0, []) == problems(data)


def flip(client: Any, key: bytes, at: int) -> None:  # noqa: ANN401 - see above
    """Flips a bit in the middle of a string."""
    client.setrange(key, at, bytes([client.getrange(key, at, at)[0] ^ 1]))


def replace_by_list(client: Any, key: bytes) -> None:  # noqa: ANN401 - see above
    """Replaces a key by one of a type that Segue does not write."""
    client.delete(key)
    client.rpush(key, "x")


def drop_event(client: Any, revision: int) -> None:  # noqa: ANN401 - see above
    """Removes the event with this revision."""
    ((entry_id, _),) = client.xrange(KEYS.events, str(revision), str(revision))
    client.xdel(KEYS.events, entry_id)


def spoil_own_metadata(client: Any, path: str) -> None:  # noqa: ANN401 - see above
    """Cuts off the end of the record of a file."""
    client.hset(KEYS.files, path, client.hget(KEYS.files, path)[:-3])


def copy_own_metadata(client: Any, source: str, target: str) -> None:  # noqa: ANN401 - see above
    """Gives a file the metadata of another one."""
    _, _, own = client.hget(KEYS.files, source).partition(b" {")
    client.hset(KEYS.files, target, client.hget(KEYS.files, target) + b" {" + own)


DAMAGE: dict[str, tuple[Damage, int]] = {
    # name: the damage, and the number of tracks that are lost by it
    "no metadata": (lambda client: client.delete(KEYS.track(TWO)), 1),
    "no embedding": (lambda client: client.delete(KEYS.embedding(TWO)), 1),
    "no paths": (lambda client: client.delete(KEYS.paths(TWO)), 0),
    "no files": (lambda client: client.delete(KEYS.files), 0),
    "no ids": (lambda client: client.delete(KEYS.track_ids), 0),
    "no events": (lambda client: client.delete(KEYS.events), 0),
    "no id": (lambda client: client.zrem(KEYS.track_ids, TWO), 0),
    "a strange id": (lambda client: client.zadd(KEYS.track_ids, {track_id(99): 0}), 0),
    "a remnant": (lambda client: client.set(KEYS.embedding(track_id(99)), b"1234"), 0),
    "lowest bit of an embedding": (lambda client: flip(client, KEYS.embedding(TWO), 0), 1),
    "sign of an embedding": (lambda client: client.setrange(KEYS.embedding(TWO), 3, b"\xff"), 1),
    "narrow embedding": (lambda client: client.set(KEYS.embedding(TWO), b"1234567"), 1),
    "embedding of NaN": (lambda client: client.set(KEYS.embedding(TWO), b"\xff" * 64), 1),
    "another title": (lambda client: client.hset(KEYS.track(TWO), "title", "Track 2"), 1),
    "another path": (lambda client: client.hset(KEYS.track(TWO), "path", "/music/1/3.fla"), 0),
    "no path in the metadata": (lambda client: client.hdel(KEYS.track(TWO), "path"), 0),
    "a file's record": (lambda client: client.hdel(KEYS.files, "/music/1/3.flac"), 0),
    "a file's damaged record": (lambda client: client.hset(KEYS.files, "/music/1/3.flac", b"?"), 0),
    "a file of a strange track": (lambda client: client.hset(KEYS.files, "/x", f"1 1 {track_id(99)}"), 0),
    "a file of another track": (lambda client: client.hset(KEYS.files, "/music/0/4.flac", f"1 1 {TWO}"), 1),
    "a file's record of another type": (lambda client: client.hset(KEYS.files, "/music/1/3.flac", b"-9 x"), 0),
    "a record of a failure": (lambda client: client.hset(KEYS.failures, "/bad", b"?"), 0),
    "files of another type": (lambda client: replace_by_list(client, KEYS.files), 0),
    "failures of another type": (lambda client: replace_by_list(client, KEYS.failures), 0),
    "metadata of another type": (lambda client: replace_by_list(client, KEYS.track(TWO)), 1),
    "embedding of another type": (lambda client: replace_by_list(client, KEYS.embedding(TWO)), 1),
    "paths of another type": (lambda client: replace_by_list(client, KEYS.paths(TWO)), 0),
    "a path of two tracks": (lambda client: client.sadd(KEYS.paths(TWO), "/music/0/4.flac"), 0),
    "no external ids": (lambda client: client.delete(KEYS.external_ids), 0),
    "an external id of no file": (lambda client: client.hset(KEYS.external_ids, "four", "/music/0/4.flac"), 0),
    "an external id of a missing file": (lambda client: client.hset(KEYS.external_ids, "four", "/nowhere"), 0),
    "an external id of another file": (lambda client: client.hset(KEYS.external_ids, "three", "/music/0/4.flac"), 0),
    "external ids of another type": (lambda client: replace_by_list(client, KEYS.external_ids), 0),
    "own metadata of another file": (lambda client: client.hset(KEYS.track(ONE), "own", '{"external_id":"4"}'), 0),
    "no own metadata": (lambda client: client.hdel(KEYS.track(TWO), "own"), 0),
    "damaged own metadata": (lambda client: client.hset(KEYS.track(TWO), "own", "{"), 0),
    "damaged own metadata of a file": (lambda client: spoil_own_metadata(client, "/music/1/3.flac"), 0),
    "an external id of two files": (lambda client: copy_own_metadata(client, "/music/1/3.flac", "/music/0/4.flac"), 0),
    "an event in the middle": (lambda client: drop_event(client, 7), 0),
    "the first event": (lambda client: drop_event(client, 1), 0),
    "the last event": (lambda client: drop_event(client, 23), 0),
}


@pytest.mark.parametrize(("damage", "lost"), DAMAGE.values(), ids=DAMAGE)
def test_damage_in_redis_is_found_and_repaired(
    data: Path,
    client: Any,  # noqa: ANN401 - see above
    catalogue: RedisStore,
    damage: Damage,
    lost: int,
) -> None:
    """After the repair all data agrees; only the damaged track is lost, and comes back with its file."""
    damage(client)
    code, repaired = problems(data, "--repair")

    assert 0 == code
    assert {True} == {problem["repaired"] for problem in repaired}
    assert 19 - lost == catalogue.count()
    with catalogue.writer("model", "front end", 16) as writer:
        writer.add([addition(3), addition(4)])
    assert (0, []) == problems(data)
    assert 19 == catalogue.count()


@pytest.mark.parametrize("damage", METADATA.values(), ids=METADATA)
def test_unreadable_metadata_is_found(data: Path, client: Any, damage: RecordDamage) -> None:  # noqa: ANN401
    """The digest may match: another program wrote it, or a backup had it. The track is removed."""
    damage(client, KEYS, TWO)
    code, found = problems(data)
    assert (1, {TWO}) == (code, {problem["what"] for problem in found})
    assert 0 == problems(data, "--repair")[0]
    assert "18 tracks" in run("verify", "--data", data).stdout


def test_nothing_is_repaired_without_the_option(data: Path, client: Any) -> None:  # noqa: ANN401 - see above
    """Without --repair the same problems are found again, and the exit code is 1."""
    client.delete(KEYS.embedding(TWO), KEYS.paths(ONE))
    first, second = problems(data), problems(data)

    assert first == second
    assert (1, {False}) == (first[0], {problem["repaired"] for problem in first[1]})
    assert {TWO, ONE, "/music/0/4.flac"} == {problem["what"] for problem in first[1]}


@pytest.mark.parametrize(
    "damage",
    [
        lambda client: drop_event(client, 22),
        lambda client: client.delete(KEYS.events),
        lambda client: client.delete(KEYS.track_ids),
        lambda client: client.zrem(KEYS.track_ids, TWO),
    ],
    ids=["an event", "all events", "all ids", "an id"],
)
def test_a_trimmed_stream_is_sound(
    data: Path,
    client: Any,  # noqa: ANN401 - see above
    catalogue: RedisStore,
    damage: Damage,
) -> None:
    """Events that a snapshot contains may be dropped; a later event that is missing is found, and repaired."""
    with catalogue.writer("model", "front end", 16) as writer:
        writer.trim(21)
    assert (0, []) == problems(data)

    damage(client)
    assert (1, 0) == (problems(data)[0], problems(data, "--repair")[0])
    assert (0, []) == problems(data)
    assert 19 == catalogue.count()


@pytest.mark.parametrize("name", [HEADER, INDEX, TRACK_IDS])
@pytest.mark.parametrize("newest", [True, False])
def test_one_flipped_byte_of_a_snapshot_is_found(data: Path, catalogue: RedisStore, name: str, newest: bool) -> None:
    """It may be in any file of either snapshot; after the repair the catalogue has a sound index."""
    damaged = sorted((data / "snapshots").iterdir())[-1 if newest else 0]
    raw = bytearray((damaged / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (damaged / name).write_bytes(raw)
    code, snapshots = problems(data)

    assert (1, [damaged.name]) == (code, [problem["what"] for problem in snapshots])
    assert 0 == problems(data, "--repair")[0]
    assert (0, []) == problems(data)
    identity = catalogue.identity()
    assert identity is not None
    snapshot = load_newest(data, identity, since=catalogue.revision())
    assert snapshot is not None
    assert list(all_track_ids(catalogue)) == list(snapshot.index.track_ids)


def test_a_missing_index_is_found(catalogue: RedisStore, tmp_path: Path) -> None:
    """A catalogue without a snapshot has one problem; the repair publishes one."""
    assert 1 == problems(tmp_path)[0]
    assert [True] == [problem["repaired"] for problem in problems(tmp_path, "--repair")[1]]
    assert (0, []) == problems(tmp_path)
    assert 20 == catalogue.count()


@pytest.mark.parametrize(
    "command", ["verify --repair", "status", "add", "sync", "retry", "reindex", "remove /music", "rebuild"]
)
def test_a_catalogue_without_identity_is_left_alone(
    data: Path,
    client: Any,  # noqa: ANN401 - see above
    tiny_model: Path,
    command: str,
) -> None:
    """If the model that built the tracks is unknown, every command is refused, and nothing changes."""
    client.delete(KEYS.identity)
    name, *arguments = command.split()
    if name in {"add", "sync"}:
        arguments = [str(write_library(data / "music", 1, seconds=3.0))]
    model: list[str | Path] = ["--model", tiny_model] if name in {"add", "sync", "retry", "reindex"} else []
    ended = run(name, *arguments, "--data", data, *model)

    assert 1 == ended.exit_code
    assert "has 19 tracks but no record of the model that built it. Does this Redis evict" in ended.stderr
    assert (19, 0) == (client.zcard(KEYS.track_ids), client.exists(KEYS.identity))


def test_people_read_the_problems(data: Path, client: Any) -> None:  # noqa: ANN401 - see above
    """Each problem is a line, and the last line says what to do."""
    client.delete(KEYS.embedding(ONE))
    ended = run("verify", "--data", data)

    assert ended.stderr.startswith(f"problem: {ONE}: ")
    assert "Found 1 problem. Run `segue-indexer verify --repair` to repair what can be repaired.\n" == ended.stdout
    ended = run("verify", "--data", data, "--repair")
    assert "Repaired 1 problem and removed 1 damaged track. The catalogue has 18 tracks." in ended.stdout


@pytest.mark.parametrize("path", ["/music/0/4.flac", "/nowhere", None])
def test_a_lost_external_id_is_restored(data: Path, client: Any, catalogue: RedisStore, path: str | None) -> None:  # noqa: ANN401 - see above
    """The file has it as well, and the repair does not take it from there."""
    client.hset(KEYS.external_ids, "three", path) if path else client.delete(KEYS.external_ids)
    problems(data, "--repair")
    assert ["/music/1/3.flac"] == catalogue.external_paths(["three"])
    (file,) = catalogue.files(["/music/1/3.flac"])
    assert file is not None
    assert "three" == file.own.external_id
