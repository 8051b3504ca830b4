"""A dry run of any command changes neither a key of Redis nor a file."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from segue.core.model.artifact import read_manifest
from segue.core.redis_catalogue.client import connect
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.indexer import run, write_library

INDEXING = {"add", "sync", "retry", "reindex"}


@pytest.fixture
def tried(tmp_path: Path, tiny_model: Path) -> Path:
    """The data folder of a catalogue with a track whose file is missing, and a file that failed."""
    music = write_library(tmp_path / "music", 3, seconds=3.0)
    (music / "no-music.flac").write_bytes(b"no music")
    assert 0 == run("add", music, "--data", tmp_path / "data", "--model", tiny_model).exit_code
    assert 0 == run("backup", tmp_path / "saved", "--data", tmp_path / "data").exit_code
    (music / "0000.flac").unlink()
    return tmp_path / "data"


def key_space(store: RedisStore) -> dict[bytes, bytes | None]:
    """Returns every key of the server with its value."""
    with closing(connect(store.address)) as client:
        return {key: client.dump(key) for key in client.scan_iter()}


@pytest.mark.parametrize(
    "command",
    [
        *("add music", "sync music --allow-removals", "retry", "reindex --allow-removals", "remove music", "rebuild"),
        *("backup new", "restore saved --replace"),
    ],
)
def test_a_dry_run_changes_nothing(
    tried: Path, tiny_model: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the last writer's name changes; the document has the number of tracks."""
    monkeypatch.chdir(tried.parent)
    model: list[str | Path] = ["--model", tiny_model] if command.split(maxsplit=1)[0] in INDEXING else []
    with open_store(tried) as store:
        before, files = key_space(store), sorted(tried.parent.rglob("*"))
        ended = run(*command.split(), "--data", tried, *model, "--dry-run", "--json")
        document = json.loads(ended.stdout)

        assert (0, 3, True) == (ended.exit_code, document["tracks"], document["dry_run"])
        assert before == key_space(store)
        assert files == sorted(tried.parent.rglob("*"))


@pytest.mark.parametrize("command", ["add music", "sync music", "retry"])
def test_a_dry_run_fails_where_the_run_would(
    tried: Path, tiny_model: Path, other_model: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue of another model is refused, and the message names both models."""
    monkeypatch.chdir(tried.parent)
    ended = run(*command.split(), "--data", tried, "--model", other_model, "--dry-run")

    assert 1 == ended.exit_code
    assert all(read_manifest(model).model_id in ended.stderr for model in (tiny_model, other_model))


def test_a_dry_run_of_reindex_needs_a_model(tried: Path, tmp_path: Path) -> None:
    """A wrong --model is reported before the run, not by it."""
    ended = run("reindex", "--data", tried, "--model", tmp_path / "none", "--dry-run")

    assert 1 == ended.exit_code
    assert str(tmp_path / "none") in ended.stderr


def test_a_dry_run_of_reindex_counts_every_file(tried: Path, other_model: Path) -> None:
    """Existing files count as added, also those that failed before, and missing ones as forgotten."""
    ended = run("reindex", "--data", tried, "--model", other_model, "--dry-run")

    assert "A run would count 3 added, 0 unchanged, 1 forgotten, 0 failed.\n" in ended.stdout
