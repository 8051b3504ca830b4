"""``segue-indexer status``: what is in the catalogue."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segue.core.catalogue.records import FailureRecord
from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue.session import current_identity
from segue.indexer.text import escape_control_characters


def read_status(data: Path, redis_url: str | None, list_failures: bool = False) -> dict[str, Any]:
    """What is in the catalogue, as JSON has it; the files that failed are named only where that is asked for.

    Raises:
        CatalogueMismatch: there are tracks, and it is lost what made them.
        StoreUnavailable: Redis does not answer.
    """
    with open_store(data, redis_url) as store:
        identity, revision = current_identity(store), store.revision()
        snapshot = None if identity is None else load_newest(data, identity)
        failures = {failure.path: failure for failure in store.all_failures()}
        return {
            "tracks": store.count(),
            "revision": revision,
            "catalogue": None if identity is None else asdict(identity),
            "index": None
            if snapshot is None
            else {"revision": snapshot.header.revision, "tracks": len(snapshot.index)},
            "beside": _beside(store),
            "failed": dict(Counter(failure.reason for failure in failures.values()).most_common()),
            "failures": [_failure(failures[path]) for path in sorted(failures)] if list_failures else None,
        }


def _beside(store: RedisStore) -> dict[str, Any] | None:
    """What an unfinished reindex or restore has made so far, None where there is none."""
    with store.staging() as beside:
        identity = beside.identity()
        return None if identity is None else {"model_id": identity.model_id, "tracks": beside.count()}


def _failure(failure: FailureRecord) -> dict[str, str]:
    time = datetime.fromtimestamp(failure.time, UTC).isoformat()
    return {"path": failure.path, "reason": failure.reason, "message": failure.detail, "time": time}


def print_status(data: Path, redis_url: str | None, as_json: bool, list_failures: bool) -> None:
    """Prints what is in the catalogue: one document, or lines for a person."""
    status = read_status(data, redis_url, list_failures)
    print(json.dumps(status, indent=2) if as_json else _text(status))  # noqa: T201 - this is the output


def _text(status: dict[str, Any]) -> str:
    catalogue, index = status["catalogue"], status["index"]
    if catalogue is None:
        return "The catalogue is empty. Run segue-indexer add FOLDER."
    failed = ", ".join(f"{count} {reason}" for reason, count in status["failed"].items())
    front_end = f"front end {catalogue['fingerprint']}, {catalogue['width']} numbers a track"
    lines = [
        f"tracks     {status['tracks']}",
        f"revision   {status['revision']}",
        f"model      {catalogue['model_id']} ({front_end})",
        f"catalogue  {catalogue['uuid']}",
        f"index      {'none' if index is None else 'of revision {revision}, {tracks} tracks'.format(**index)}",
        f"failed     {failed or 'none'}",
    ]
    if beside := status["beside"]:
        lines.append(
            "beside     {tracks} tracks by {model_id}, of a reindex or a restore that did not end".format(**beside)
        )
    for failure in status["failures"] or []:
        lines.append(
            "{time} {path}: {message} [{reason}]".format(
                **{k: escape_control_characters(v) for k, v in failure.items()}
            )
        )
    return "\n".join(lines)
