"""``segue-indexer restore --replace`` over a catalogue whose main keys are damaged: the operator's last resort."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import addition
from tests.helpers.indexer import run

KEYS = RedisKeys()
MAIN_KEYS = ("identity", "writer", "events", "track_ids", "files", "failures", "external_ids")
FAR = "99999999999999"


@pytest.fixture
def client(catalogue: RedisStore) -> Iterator[Any]:
    """A client of the Redis of the catalogue."""
    with Redis.from_url(catalogue.address, protocol=2) as client:
        yield client


def restored(catalogue: RedisStore, folder: Path, damage: Any) -> None:  # noqa: ANN401 - a function
    """Backs a catalogue up, damages it, restores it, and asserts that it is sound and can be written."""
    backup = folder / "backup"
    assert 0 == run("backup", backup, "--data", folder).exit_code
    damage()
    ended = run("restore", backup, "--replace", "--data", folder)
    assert 0 == ended.exit_code, ended.output
    verified = run("verify", "--data", folder)
    assert (0, 20) == (verified.exit_code, catalogue.state().tracks), verified.output
    with catalogue.writer("model", "front end", 16) as writer:
        assert 21 == writer.add([addition(30)])


@pytest.mark.parametrize("kind", [*MAIN_KEYS, "all"])
def test_keys_of_another_type(catalogue: RedisStore, client: Any, tmp_path: Path, kind: str) -> None:  # noqa: ANN401
    """Another program replaced one of the main keys, or each of them."""

    def damage() -> None:
        for name in MAIN_KEYS if kind == "all" else [kind]:
            client.delete(getattr(KEYS, name))
            client.rpush(getattr(KEYS, name), "x")

    restored(catalogue, tmp_path, damage)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("identity", {"uuid": "\x1b", "width": "wide"}),
        ("identity", {"width": "-1"}),
        ("writer", {"number": "many"}),
        ("writer", {"number": "9" * 30}),
        ("writer", {"until": FAR, "lease": "x", "token": "?"}),
        ("writer", {"until": FAR, "pid": "x", "host": "h"}),
        ("writer", {"trimmed": "x", "commit": "x"}),
    ],
)
@pytest.mark.parametrize("emptied", [True, False])
def test_fields_that_are_damaged(
    catalogue: RedisStore,
    client: Any,  # noqa: ANN401 - see above
    tmp_path: Path,
    kind: str,
    fields: dict[str, str],
    emptied: bool,
) -> None:
    """Another program wrote fields of a main key, or all of it."""

    def damage() -> None:
        if emptied:
            client.delete(getattr(KEYS, kind))
        client.hset(getattr(KEYS, kind), mapping=fields)

    restored(catalogue, tmp_path, damage)
