"""Opens the catalogue: the Redis that was named, or the private one in the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.core.errors import StoreUnavailable
from segue.core.local_redis import open_local_redis
from segue.core.redis_client import PATIENT, Patience
from segue.core.redis_store import RedisStore


@contextmanager
def open_store(data: Path, redis_url: str | None = None, patience: Patience = PATIENT) -> Iterator[RedisStore]:
    """Opens the catalogue.

    Args:
        data: Segue's data folder, made if it is missing.
        redis_url: the Redis that holds the catalogue, or None for the private one in the data folder.
        patience: how long an answer is waited for.

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
        with _opened(RedisStore(redis_url, patience=patience)) as store:
            yield store
        return
    with (
        open_local_redis(data / "redis") as local,
        _opened(RedisStore(local.url, durable=local.durable, revive=local.revive, patience=patience)) as store,
    ):
        yield store


@contextmanager
def _opened(store: RedisStore) -> Iterator[RedisStore]:
    try:
        store.ping()
        yield store
    finally:
        store.close()
