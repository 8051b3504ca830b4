"""The commands of the indexer go on over damaged records, name each, and say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.damage import EMBEDDING, METADATA, Damage, replace_by_list
from tests.helpers.indexer import PROGRAM, run, write_library
from tests.helpers.machine.commands import run_command

KEYS = RedisKeys()
CLIPS = 4
TRACK_DAMAGES: dict[str, Damage] = {
    name: {**METADATA, **EMBEDDING}[name]
    for name in ("seconds of text", "broken posterior", "metadata of another type", "short embedding")
} | {"embedding of another type": EMBEDDING["embedding of another type"], "paths": replace_by_list("paths")}


def damage_file(client: Any, keys: RedisKeys, track_id: str) -> None:  # noqa: ANN401 - a client of redis-py
    """Damages the record of the track's file."""
    client.hset(keys.files, next(iter(client.smembers(keys.paths(track_id)))), b"?")


def damage_failure(client: Any, keys: RedisKeys, _track_id: str) -> None:  # noqa: ANN401 - likewise
    """Damages the record of a failure."""
    client.hset(keys.failures, "/bad.mp3", b"?")


DAMAGES: dict[str, Damage] = {**TRACK_DAMAGES, "file": damage_file, "failure": damage_failure}


@pytest.fixture
def music(tmp_path: Path, tiny_model: Path) -> Path:
    """A folder of music that is indexed."""
    music = write_library(tmp_path / "music", CLIPS, seconds=3.0)
    assert 0 == run("add", music, "--data", tmp_path / "data", "--model", tiny_model).exit_code
    return music


@pytest.fixture
def store(music: Path, tmp_path: Path) -> Iterator[RedisStore]:
    """Its catalogue."""
    assert music.exists()
    with open_store(tmp_path / "data") as store:
        yield store


@pytest.fixture
def client(store: RedisStore) -> Iterator[Any]:
    """A client of its Redis."""
    with Redis.from_url(store.address, protocol=2) as client:
        yield client


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_every_command_goes_on(
    store: RedisStore,
    client: Any,  # noqa: ANN401 - likewise
    music: Path,
    tmp_path: Path,
    tiny_model: Path,
    damage: Damage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """None fails with a traceback or says that Redis does not answer; `verify --repair` and `add` heal it."""
    damaged, other = store.track_ids("", 2)
    damage(client, KEYS, damaged)
    data, model = ("--data", tmp_path / "data"), ("--model", tiny_model)
    said = ""
    for command in (
        ("status", "--failures"),
        ("add", music, *model),
        ("sync", music, *model),
        ("retry", *model),
        ("remove", other),
        ("rebuild",),
        ("backup", tmp_path / "backup", "--replace"),
    ):
        damage(client, KEYS, damaged)
        ended = run(*command, *data)
        assert ended.exception is None or isinstance(ended.exception, SystemExit), (command, ended.exception)
        assert "does not answer" not in ended.stderr
        assert "refuses a command" not in ended.stderr
        said += ended.stderr
    assert "verify --repair" in said + caplog.text
    assert 1 == run("verify", *data).exit_code
    assert 0 == run("verify", "--repair", *data).exit_code
    assert 0 == run("add", music, *data, *model).exit_code
    assert (0, CLIPS) == (run("verify", *data).exit_code, store.count())


@pytest.mark.parametrize("damage", TRACK_DAMAGES.values(), ids=TRACK_DAMAGES)
def test_a_damaged_track_can_be_removed(store: RedisStore, client: Any, tmp_path: Path, damage: Damage) -> None:  # noqa: ANN401
    """By its id, and nothing of it is left."""
    damaged = store.track_ids("", 1)[0]
    damage(client, KEYS, damaged)
    ended = run("remove", damaged, "--data", tmp_path / "data")
    assert (0, CLIPS - 1) == (ended.exit_code, store.count()), ended.output
    assert 0 == client.exists(KEYS.track(damaged), KEYS.embedding(damaged), KEYS.paths(damaged))


def test_the_backup_names_the_track_and_what_to_do(store: RedisStore, client: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """As a program of its own, it prints one sentence of what is wrong and one of what to do."""
    damaged = store.track_ids("", 1)[0]
    METADATA["seconds of text"](client, KEYS, damaged)
    ended = run_command(*PROGRAM, "backup", tmp_path / "backup", "--data", tmp_path / "data")
    assert 1 == ended.returncode
    assert f"The track '{damaged}' cannot be read and is left out. Its seconds are not a number." in ended.stderr
    assert f"The track {damaged} is incomplete or damaged" in ended.stderr
    assert "`segue-indexer verify --repair`" in ended.stderr
    assert "Traceback" not in ended.stderr
