"""Opens the catalogue: the Redis that was named, or the private one in the data folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.client import DEFAULT_TIMEOUTS, RedisTimeouts, address_of, connect
from segue.core.redis_catalogue.private_server import open_private_redis
from segue.core.redis_catalogue.store import RedisStore

log = logging.getLogger(__name__)


@contextmanager
def open_store(
    data: Path, redis_url: str | None = None, timeouts: RedisTimeouts = DEFAULT_TIMEOUTS
) -> Iterator[RedisStore]:
    """Opens the catalogue.

    Args:
        data: Segue's data folder, made if it is missing.
        redis_url: the Redis that holds the catalogue, or None for the private one in the data folder.
        timeouts: how long an answer is waited for.

    Raises:
        StoreUnavailable: that Redis does not answer, or the private one does not start.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"The data folder {data} cannot be made ({error.strerror}). Name another with --data or SEGUE_DATA."
        ) from error
    if redis_url:
        warned = partial(_warned_unless_kept, redis_url, timeouts)
        with _opened(RedisStore(redis_url, durable=warned, timeouts=timeouts)) as store:
            yield store
        return
    with (
        open_private_redis(data / "redis") as local,
        local.explaining_death(),
        _opened(RedisStore(local.url, durable=local.durable, revive=local.restart_if_dead, timeouts=timeouts)) as store,
    ):
        yield store


@contextmanager
def _warned_unless_kept(url: str, timeouts: RedisTimeouts) -> Iterator[None]:
    """Warns where a Redis may lose what is about to be written; one that does not let us ask knows what it does."""
    with closing(connect(url, timeouts)) as client, suppress(RedisError):
        settings: Any = client.config_get("appendonly")
        if settings.get("appendonly") == "no":
            log.warning(
                "The Redis at %s keeps no log of commands: what is written since its last dump is lost when it dies. "
                "Set appendonly to yes there.",
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
