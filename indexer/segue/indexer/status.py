"""``segue-indexer status``: what is in the catalogue."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segue.core.connect import open_store
from segue.core.snapshot import load_newest


def read_status(data: Path, redis_url: str | None) -> dict[str, Any]:
    """What is in the catalogue, as JSON has it.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    with open_store(data, redis_url) as store:
        identity, revision = store.identity(), store.revision()
        snapshot = None if identity is None else load_newest(data, identity)
        return {
            "tracks": store.count(),
            "revision": revision,
            "catalogue": None if identity is None else asdict(identity),
            "index": None
            if snapshot is None
            else {"revision": snapshot.header.revision, "tracks": len(snapshot.index)},
        }


def print_status(data: Path, redis_url: str | None, as_json: bool) -> None:
    """Prints what is in the catalogue: one document, or lines for a person."""
    status = read_status(data, redis_url)
    print(json.dumps(status, indent=2) if as_json else _text(status))  # noqa: T201 - this is the output


def _text(status: dict[str, Any]) -> str:
    catalogue, index = status["catalogue"], status["index"]
    if catalogue is None:
        return "The catalogue is empty. Run segue-indexer add FOLDER."
    front_end = f"front end {catalogue['fingerprint']}, {catalogue['width']} numbers a track"
    lines = [
        f"tracks     {status['tracks']}",
        f"revision   {status['revision']}",
        f"model      {catalogue['model_id']} ({front_end})",
        f"catalogue  {catalogue['uuid']}",
        f"index      {'none' if index is None else 'of revision {revision}, {tracks} tracks'.format(**index)}",
    ]
    return "\n".join(lines)
