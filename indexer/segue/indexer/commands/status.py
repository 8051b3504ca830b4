"""``segue-indexer status``: shows the size, model, index and failures of the catalogue."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from segue.core.catalogue.records import FailureRecord
from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue.session import current_identity
from segue.indexer.settings import CatalogueSettings


def read_status(settings: CatalogueSettings, *, list_failures: bool = False) -> dict[str, Any]:
    """Reads the state of the catalogue, as the JSON document; ``list_failures`` adds each failed file.

    Raises:
        CatalogueMismatch: there are tracks, but no record of the model that built them.
        StoreUnavailable: Redis does not answer.
    """
    with open_store(settings.data, settings.redis_url) as store:
        identity, revision = current_identity(store), store.revision()
        snapshot = None if identity is None else load_newest(settings.data, identity)
        index = None if snapshot is None else {"revision": snapshot.header.revision, "tracks": len(snapshot.index)}
        failures = {failure.path: failure for failure in store.all_failures()}
        return {
            "redis": store.place,
            "tracks": store.count(),
            "revision": revision,
            "catalogue": None if identity is None else asdict(identity),
            "index": index,
            "staging": _staging(store),
            "failed": dict(Counter(failure.reason for failure in failures.values()).most_common()),
            "failures": [_failure(failures[path]) for path in sorted(failures)] if list_failures else None,
        }


def _staging(store: RedisStore) -> dict[str, Any] | None:
    """Returns the state of an unfinished reindex or restore, or None if there is none."""
    with store.staging() as staging:
        identity = staging.identity()
        return None if identity is None else {"model_id": identity.model_id, "tracks": staging.count()}


def _failure(failure: FailureRecord) -> dict[str, str]:
    time = datetime.fromtimestamp(failure.time, UTC).isoformat()
    return {"path": failure.path, "reason": failure.reason, "message": failure.detail, "time": time}
