from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from segue.core.catalogue.records import FailureRecord
from segue.core.catalogue.store import all_track_ids
from segue.core.failpoints import Failpoint
from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.client import connect
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.indexer import PROGRAM, build_addition, killed_at, run, track_id

LOST = FailureRecord("/music/bad.mp3", 5, 6, "AUDIO_UNDECODABLE", "It is no music.", 1_700_000_000)


@pytest.fixture
def backup(catalogue: RedisStore, tmp_path: Path) -> Path:
    """A backup of a catalogue that has a track with two files, and a file that failed."""
    with catalogue.writer("model", "front end", 16) as writer:
        writer.add([build_addition(3, "/else\\xffwhere/3 \N{SNOWMAN}.flac")])
        writer.note_failures([LOST])
    made = run("backup", tmp_path / "backup", "--data", tmp_path)
    assert (0, "") == (made.exit_code, made.stderr)
    return tmp_path / "backup"


def assert_same(data: Path, catalogue: RedisStore) -> None:
    """What was restored agrees with itself and its index, and with the catalogue that was kept."""
    assert 0 == run("verify", "--data", data).exit_code
    with open_store(data) as store:
        ids, identity = list(all_track_ids(catalogue)), store.identity()
        assert ids == list(all_track_ids(store))
        assert catalogue.get(ids) == store.get(ids)
        np.testing.assert_array_equal(catalogue.embeddings(ids), store.embeddings(ids))
        assert set(catalogue.all_files()) == set(store.all_files())
        assert set(catalogue.all_failures()) == set(store.all_failures())
        assert identity is not None
        assert load_newest(data, identity, since=store.revision()) is not None


def test_what_was_kept_comes_back(backup: Path, catalogue: RedisStore, tmp_path: Path) -> None:
    """Every track, embedding, file and failure; the catalogue is another one to whoever reads it."""
    done = run("restore", backup, "--data", tmp_path / "new")

    assert (0, "") == (done.exit_code, done.stderr)
    assert "20 tracks were restored" in done.stdout
    assert_same(tmp_path / "new", catalogue)
    with open_store(tmp_path / "new") as store:
        assert catalogue.identity() != store.identity()


def test_a_catalogue_is_only_replaced_when_told(backup: Path, catalogue: RedisStore, tmp_path: Path) -> None:
    """Tracks that are there are named and stay; told to, they go, and with them what only they had."""
    data = tmp_path / "other"
    with open_store(data) as store, store.writer("another model", "front end", 8) as writer:
        writer.note_failures([FailureRecord("/other.mp3", 1, 1, "R", "Why.", 1)])
        embedding = np.eye(8, dtype=np.float32)[0]
        writer.add([type(build_addition(77))(build_addition(77).track, embedding, build_addition(77).file)])
    refused = run("restore", backup, "--data", data)
    assert (1, True) == (refused.exit_code, "has 1 tracks. Say --replace" in refused.stderr)
    assert "1 tracks" in run("verify", "--data", data, "--repair").stdout

    assert 0 == run("restore", backup, "--data", data, "--replace").exit_code
    assert_same(data, catalogue)


def test_a_file_is_only_replaced_when_told(backup: Path, tmp_path: Path) -> None:
    """A backup of yesterday is not lost by a slip."""
    before = backup.read_bytes()
    refused = run("backup", backup, "--data", tmp_path)
    assert (1, True) == (refused.exit_code, "is there already" in refused.stderr)
    assert before == backup.read_bytes()

    assert 0 == run("remove", track_id(1), "--data", tmp_path).exit_code
    assert 0 == run("backup", backup, "--data", tmp_path, "--replace").exit_code
    assert "19 tracks would be restored" in run("restore", backup, "--data", tmp_path, "--dry-run", "--replace").stdout


def test_damage_is_found_before_anything_is_done(backup: Path, tmp_path: Path) -> None:
    """One flipped bit anywhere, or a missing end, and the catalogue that is there stays."""
    whole, dice = backup.read_bytes(), random.Random(1)
    for position in [0, 13, 20, *dice.sample(range(len(whole)), 20)]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << dice.randrange(8)
        backup.write_bytes(damaged)
        failed = run("restore", backup, "--data", tmp_path, "--replace")
        assert (1, True) == (failed.exit_code, failed.stderr.startswith("segue-indexer: ")), position
        assert "Traceback" not in failed.stderr
    backup.write_bytes(whole[:-100])
    assert "is damaged" in run("restore", backup, "--data", tmp_path, "--replace").stderr


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"segue-backup 99 " + b"0" * 65])
def test_another_file_is_no_backup(tmp_path: Path, content: bytes) -> None:
    """It is told in a sentence and in the document, and no Redis is started for it."""
    (tmp_path / "file").write_bytes(content)
    failed = run("restore", tmp_path / "file", "--data", tmp_path / "data", "--json")

    assert (1, "BACKUP_UNUSABLE") == (failed.exit_code, json.loads(failed.stdout)["error"]["reason"])
    assert not (tmp_path / "data").exists()


def test_a_catalogue_that_lost_its_identity_is_replaced(backup: Path, catalogue: RedisStore, tmp_path: Path) -> None:
    """It says no more what made its tracks; those of the backup do, and take their place."""
    with closing(connect(catalogue.address)) as client:
        client.delete(RedisKeys().identity)
    done = run("restore", backup, "--data", tmp_path, "--replace")

    assert (0, "", 20) == (done.exit_code, done.stderr, catalogue.count())
    assert 0 == run("verify", "--data", tmp_path).exit_code


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [{"tracks": 3}],
        [{"identity": {"uuid": "u", "model_id": "m", "fingerprint": "f", "width": 16}}, {"track": {"colour": "red"}}],
    ],
)
@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_what_another_segue_meant_is_not_guessed(tmp_path: Path, lines: list[object], dry_run: list[str]) -> None:
    """A file with the right digest that says something else is told in a sentence, and there is no catalogue of it."""
    packed = gzip.compress(b"".join(json.dumps(line).encode("ascii") + b"\n" for line in lines))
    head = f"segue-backup 1 {hashlib.sha256(packed).hexdigest()}\n".encode("ascii")
    (tmp_path / "foreign").write_bytes(head + packed)
    done = run("restore", tmp_path / "foreign", "--data", tmp_path / "data", "--json", *dry_run)

    assert (1, "BACKUP_UNUSABLE") == (done.exit_code, json.loads(done.stdout)["error"]["reason"])
    with open_store(tmp_path / "data") as store:
        assert 0 == store.count()


def test_a_disk_without_room_keeps_nothing_by_halves(catalogue: RedisStore, tmp_path: Path) -> None:
    """A folder that cannot take the backup is named, and nothing is left there."""
    assert catalogue.count()
    failed = run("backup", tmp_path / "none" / "backup", "--data", tmp_path)
    assert (1, True) == (failed.exit_code, "cannot be written" in failed.stderr)


def test_a_catalogue_that_is_not_whole_is_not_kept(catalogue: RedisStore, tmp_path: Path) -> None:
    """A backup that would lack something is none; what to do is said, and no file is left."""
    catalogue._client.delete(catalogue._keys.embedding(track_id(5)))
    failed = run("backup", tmp_path / "backup", "--data", tmp_path)

    assert (1, True) == (failed.exit_code, "verify --repair" in failed.stderr)
    assert [] == [path for path in tmp_path.iterdir() if "backup" in path.name]


@pytest.mark.parametrize("stage", ["after-commit:2", Failpoint.BEFORE_SWITCH, Failpoint.AFTER_SWITCH])
def test_killed_while_restoring(backup: Path, catalogue: RedisStore, tmp_path: Path, stage: str) -> None:
    """The catalogue is the old one or the new one, whole; restored again, it is the new one."""
    data = tmp_path / "other"
    with open_store(data) as store, store.writer("model", "front end", 16) as writer:
        writer.add([build_addition(77)])
    killed_at(stage, [*PROGRAM, "restore", str(backup), "--data", str(data), "--replace"])

    with open_store(data) as store:
        assert (20 if stage == Failpoint.AFTER_SWITCH else 1) == store.count()
    assert "event" not in run("verify", "--data", data).stderr
    assert 0 == run("restore", backup, "--data", data, "--replace").exit_code
    assert_same(data, catalogue)


def test_what_is_no_file_is_left_alone(catalogue: RedisStore, tmp_path: Path) -> None:
    """A device or a pipe is neither replaced by a backup nor waited for by restore."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    for command in ("backup", "restore"):
        done = run(command, pipe, "--data", tmp_path, "--replace")
        assert (1, True) == (done.exit_code, f"{pipe} is no file" in done.stderr)
    assert pipe.is_fifo()
    assert 20 == catalogue.count()
