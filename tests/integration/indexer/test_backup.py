from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
from contextlib import closing
from dataclasses import replace
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
from tests.helpers.catalogue.tracks import addition, track_id
from tests.helpers.indexer import PROGRAM, killed_at, run

FAILED = FailureRecord("/music/bad.mp3", 5, 6, "AUDIO_UNDECODABLE", "It is not audio.", 1_700_000_000)


@pytest.fixture
def backup(catalogue: RedisStore, tmp_path: Path) -> Path:
    """A backup of a catalogue that has a track with two files, and a failed file."""
    with catalogue.writer("model", "front end", 16) as writer:
        writer.add([addition(3, "/else\\xffwhere/3 \N{SNOWMAN}.flac")])
        writer.record_failures([FAILED])
    ended = run("backup", tmp_path / "backup", "--data", tmp_path)
    assert (0, "") == (ended.exit_code, ended.stderr)
    assert ended.stdout.startswith(f"Wrote 20 tracks to {tmp_path / 'backup'} in ")
    return tmp_path / "backup"


def assert_same(data: Path, catalogue: RedisStore) -> None:
    """Asserts that a restored catalogue is sound, has an index, and has the content of the one that was backed up."""
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


def test_a_backup_is_restored_completely(backup: Path, catalogue: RedisStore, tmp_path: Path) -> None:
    """Every track, embedding, file and failure is restored; the catalogue has a new UUID."""
    ended = run("restore", backup, "--data", tmp_path / "new")

    assert (0, "") == (ended.exit_code, ended.stderr)
    assert "Restored 20 tracks from " in ended.stdout
    assert_same(tmp_path / "new", catalogue)
    with open_store(tmp_path / "new") as store:
        assert catalogue.identity() != store.identity()


def test_a_catalogue_is_replaced_only_on_request(backup: Path, catalogue: RedisStore, tmp_path: Path) -> None:
    """Without --replace the old tracks stay; with it they are removed, and so are their failures."""
    data = tmp_path / "other"
    with open_store(data) as store, store.writer("another model", "front end", 8) as writer:
        writer.record_failures([FailureRecord("/other.mp3", 1, 1, "R", "Cause.", 1)])
        writer.add([replace(addition(77), embedding=np.eye(8, dtype=np.float32)[0])])
    refused = run("restore", backup, "--data", data)
    assert (1, True) == (refused.exit_code, "has 1 track. Use --replace" in refused.stderr)
    assert "1 track." in run("verify", "--data", data, "--repair").stdout

    assert 0 == run("restore", backup, "--data", data, "--replace").exit_code
    assert_same(data, catalogue)


def test_a_file_is_overwritten_only_on_request(backup: Path, tmp_path: Path) -> None:
    """Without --replace an older backup stays."""
    before = backup.read_bytes()
    refused = run("backup", backup, "--data", tmp_path)
    assert (1, True) == (refused.exit_code, "exists already" in refused.stderr)
    assert before == backup.read_bytes()

    assert 0 == run("remove", track_id(1), "--data", tmp_path).exit_code
    assert 0 == run("backup", backup, "--data", tmp_path, "--replace").exit_code
    assert "would restore 19 tracks" in run("restore", backup, "--data", tmp_path, "--dry-run", "--replace").stdout


def test_a_file_name_that_is_not_utf_8(catalogue: RedisStore, tmp_path: Path) -> None:
    """The summary names the file in valid text."""
    for command in ("backup", "restore"):
        ended = run(command, tmp_path / os.fsdecode(b"caf\xe9"), "--data", tmp_path, "--replace")
        assert (0, True) == (ended.exit_code, "/caf\\xe9 in" in ended.stdout), ended.output
    assert 20 == catalogue.state().tracks


def test_a_damaged_backup_changes_nothing(backup: Path, tmp_path: Path) -> None:
    """If one bit is flipped anywhere, or the end is missing, the current catalogue stays."""
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
def test_another_file_is_not_a_backup(tmp_path: Path, content: bytes) -> None:
    """The error is in the document, and Redis is not started."""
    (tmp_path / "file").write_bytes(content)
    failed = run("restore", tmp_path / "file", "--data", tmp_path / "data", "--json")

    assert (1, "BACKUP_UNUSABLE") == (failed.exit_code, json.loads(failed.stdout)["error"]["reason"])
    assert not (tmp_path / "data").exists()


def test_a_catalogue_that_lost_its_identity_is_replaced(backup: Path, catalogue: RedisStore, tmp_path: Path) -> None:
    """A catalogue without a record of its model can be replaced by a backup."""
    with closing(connect(catalogue.address)) as client:
        client.delete(RedisKeys().identity)
    ended = run("restore", backup, "--data", tmp_path, "--replace")

    assert (0, "", 20) == (ended.exit_code, ended.stderr, catalogue.state().tracks)
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
def test_unknown_content_is_an_error(tmp_path: Path, lines: list[object], dry_run: list[str]) -> None:
    """A file of another version, with the right digest, is refused, and no track is restored."""
    packed = gzip.compress(b"".join(json.dumps(line).encode("ascii") + b"\n" for line in lines))
    head = f"segue-backup 1 {hashlib.sha256(packed).hexdigest()}\n".encode("ascii")
    (tmp_path / "foreign").write_bytes(head + packed)
    ended = run("restore", tmp_path / "foreign", "--data", tmp_path / "data", "--json", *dry_run)

    assert (1, "BACKUP_UNUSABLE") == (ended.exit_code, json.loads(ended.stdout)["error"]["reason"])
    with open_store(tmp_path / "data") as store:
        assert 0 == store.count()


def test_an_unwritable_folder_is_reported(catalogue: RedisStore, tmp_path: Path) -> None:
    """The error names the file that cannot be written."""
    assert catalogue.count()
    failed = run("backup", tmp_path / "none" / "backup", "--data", tmp_path)
    assert (1, True) == (failed.exit_code, "cannot be written" in failed.stderr)


def test_an_incomplete_catalogue_is_not_backed_up(catalogue: RedisStore, tmp_path: Path) -> None:
    """If a track lacks data, the error says what to do, and no file is left."""
    with closing(connect(catalogue.address)) as client:
        client.delete(RedisKeys().embedding(track_id(5)))
    failed = run("backup", tmp_path / "backup", "--data", tmp_path)

    assert (1, True) == (failed.exit_code, "verify --repair" in failed.stderr)
    assert [] == [path for path in tmp_path.iterdir() if "backup" in path.name]


@pytest.mark.parametrize("stage", ["after-commit:2", Failpoint.BEFORE_SWITCH, Failpoint.AFTER_SWITCH])
def test_killed_while_restoring(backup: Path, catalogue: RedisStore, tmp_path: Path, stage: str) -> None:
    """The catalogue is the complete old one or the complete new one; restoring again gives the new one."""
    data = tmp_path / "other"
    with open_store(data) as store, store.writer("model", "front end", 16) as writer:
        writer.add([addition(77)])
    killed_at(stage, [*PROGRAM, "restore", str(backup), "--data", str(data), "--replace"])

    with open_store(data) as store:
        assert (20 if stage == Failpoint.AFTER_SWITCH else 1) == store.count()
    assert "event" not in run("verify", "--data", data).stderr
    assert 0 == run("restore", backup, "--data", data, "--replace").exit_code
    assert_same(data, catalogue)


def test_only_a_regular_file_is_a_backup(catalogue: RedisStore, tmp_path: Path) -> None:
    """Backup does not replace a pipe, and restore does not wait for one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    for command in ("backup", "restore"):
        ended = run(command, pipe, "--data", tmp_path, "--replace")
        assert (1, True) == (ended.exit_code, f"{pipe} is not a regular file" in ended.stderr)
    assert pipe.is_fifo()
    assert 20 == catalogue.count()


def test_a_backup_that_is_not_there(tmp_path: Path) -> None:
    """The message names the file and what to do."""
    path = tmp_path / "none"
    ended = run("restore", path, "--data", tmp_path / "data")
    assert (1, True) == (ended.exit_code, f"{path} cannot be read: No such file or directory. Name" in ended.stderr)
