"""Opens the catalogue in a named Redis, or in the private one of the data folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from segue.core.errors import StoreUnavailable
from segue.core.paths import use_data_folder
from segue.core.redis_catalogue.client import DEFAULT_TIMEOUTS, RedisTimeouts, address_of, connect
from segue.core.redis_catalogue.private_server import open_private_redis
from segue.core.redis_catalogue.store import RedisStore

log = logging.getLogger(__name__)


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
        warn = partial(_warn_unless_persistent, redis_url, timeouts)
        with _opened(RedisStore(redis_url, durable=warn, timeouts=timeouts)) as store:
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


@contextmanager
def _warn_unless_persistent(url: str, timeouts: RedisTimeouts) -> Iterator[None]:
    """Warns if a Redis keeps no log of commands; stays silent if it does not permit the question."""
    with closing(connect(url, timeouts)) as client, suppress(RedisError):
        settings: Any = client.config_get("appendonly")
        if settings.get("appendonly") == "no":
            log.warning(
                "The Redis at %s keeps no log of commands: if it dies, it loses all changes since its last dump. Set "
                "appendonly to yes there.",
                address_of(url),
            )
    yield


@contextmanager
def _opened(store: RedisStore) -> Iterator[RedisStore]:
    try:
        store.ping()
        yield store
    finally:
        store.close()
