"""Opens the catalogue in a named Redis, or in the private one of the data folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import RedisError

from segue.core.errors import StoreUnavailable
from segue.core.paths import use_data_folder
from segue.core.redis_catalogue.client import DEFAULT_TIMEOUTS, RedisTimeouts, address_of, connect
from segue.core.redis_catalogue.private.server import open_private_redis
from segue.core.redis_catalogue.store import RedisStore

log = logging.getLogger(__name__)

_NO_EVICTION = "noeviction"


@contextmanager
def open_store(
    data: Path, redis_url: str | None = None, timeouts: RedisTimeouts = DEFAULT_TIMEOUTS
) -> Iterator[RedisStore]:
    """Opens the catalogue. The data folder also gets temporary files, if the system has no folder for them.

    Args:
        data: Segue's data folder, made if it is missing.
        redis_url: the address of a Redis, or None for the private one in the data folder.
        timeouts: limits on the time of a command.

    Raises:
        StoreUnavailable: the named Redis does not answer, or the private one does not start.
        EnvironmentUnusable: temporary files cannot be written anywhere.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"The data folder {data} cannot be created ({error.strerror}). Name another with --data or SEGUE_DATA."
        ) from error
    use_data_folder(data)
    if redis_url:
        with _opened(RedisStore(redis_url, timeouts=timeouts)) as store:
            _warn_of_risks(redis_url, timeouts)
            yield store
        return
    with (
        open_private_redis(data / "redis") as redis,
        redis.explaining_death(),
        _opened(
            RedisStore(redis.url, durable=redis.durable, restart_if_dead=redis.restart_if_dead, timeouts=timeouts)
        ) as store,
    ):
        yield store


def _warn_of_risks(url: str, timeouts: RedisTimeouts) -> None:
    """Warns if a Redis may lose the catalogue; stays silent if it does not permit the question."""
    with closing(connect(url, timeouts)) as client, suppress(RedisError):
        for risk in risks_of(client):
            log.warning("The Redis at %s %s. %s", address_of(url), risk.text, risk.advice)


@contextmanager
def _opened(store: RedisStore) -> Iterator[RedisStore]:
    try:
        store.ping()
        yield store
    finally:
        store.close()


class Risk(NamedTuple):
    """A setting by which a Redis loses parts of a catalogue, or has an old state of it.

    Attributes:
        subject: "eviction", "persistence" or "role".
        text: what it does, as a predicate.
        advice: what to do, as a sentence.
    """

    subject: str
    text: str
    advice: str


def risks_of(client: Redis) -> list[Risk]:
    """Returns the risks that a Redis shows; a provider may forbid some questions.

    Raises:
        RedisError: it does not answer.
    """
    return [risk for risk in (_eviction(client), _persistence(client), _role(client)) if risk]


def _eviction(client: Redis) -> Risk | None:
    # Not CONFIG GET, which many providers forbid.
    memory: Any = client.info("memory")
    policy = memory.get("maxmemory_policy", _NO_EVICTION)
    if policy == _NO_EVICTION:
        return None
    limit = int(memory.get("maxmemory", 0))
    when = f"when its memory reaches {limit / 2**20:,.0f} MiB" if limit else "as soon as it gets a limit (maxmemory)"
    return Risk(
        "eviction",
        f"deletes keys {when} (maxmemory-policy {policy}), which destroys the catalogue",
        f"Set maxmemory-policy to {_NO_EVICTION}, and give Redis memory for the whole catalogue.",
    )


def _persistence(client: Redis) -> Risk | None:
    info: Any = client.info("persistence")
    if info.get("aof_enabled"):
        return None
    lost = "all of it when it stops" if _save_rules(client) == "" else "all changes since its last dump if it dies"
    text = f"keeps no log of commands, so the catalogue loses {lost}"
    return Risk("persistence", text, "Set appendonly to yes.")


def _role(client: Redis) -> Risk | None:
    info: Any = client.info("replication")
    if info.get("role") != "slave":
        return None
    primary = f"{info['master_host']}:{info['master_port']}"
    link = "and may lag" if info.get("master_link_status") == "up" else "which it does not reach, so its data is old"
    advice = "A server can read from it; the indexer needs the address of the primary, or of its Sentinels."
    return Risk("role", f"is a replica of {primary}, {link}", advice)


def _save_rules(client: Redis) -> str | None:
    """Returns the rules by which Redis saves, or None if it does not show them, as at some providers."""
    try:
        rules: Any = client.config_get("save")
    except RedisError:
        return None
    return str(rules["save"]) if "save" in rules else None
