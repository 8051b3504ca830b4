"""The JSON document of a run lists the files that it indexed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segue.core.redis_catalogue.open import open_store
from tests.helpers.indexer import run_json, write_library


def test_every_file_that_was_indexed_is_listed(tmp_path: Path, tiny_model: Path) -> None:
    """Each file that is new or changed is listed with its track id, and no other."""
    music, options = (
        write_library(tmp_path / "music", clips=3, seconds=3.5),
        ("--data", tmp_path, "--model", tiny_model),
    )
    first = run_json("add", music, *options)["indexed"]
    assert [("added", str(path)) for path in sorted(music.iterdir())] == changes(first)
    with open_store(tmp_path) as store:
        records = store.files([entry["path"] for entry in first])
    assert [entry["track_id"] for entry in first] == [record and record.track_id for record in records]

    changed, *_ = sorted(music.iterdir())
    changed.write_bytes(changed.read_bytes()[:-400])
    assert [("updated", str(changed))] == changes(run_json("sync", music, *options)["indexed"])
    assert [] == run_json("add", music, *options)["indexed"]


def changes(listed: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The change and the path of each file."""
    return [(entry["change"], entry["path"]) for entry in listed]
