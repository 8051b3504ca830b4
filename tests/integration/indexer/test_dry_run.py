"""What is only tried changes nothing: not one key of Redis, and no file."""

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

HEARING = {"add", "sync", "retry", "reindex"}


@pytest.fixture
def tried(tmp_path: Path, tiny_model: Path) -> Path:
    """The data folder of a catalogue with a track of a file that is gone since, and a file that failed."""
    music = write_library(tmp_path / "music", 3, seconds=3.0)
    (music / "no-music.flac").write_bytes(b"no music")
    assert 1 == run("add", music, "--data", tmp_path / "data", "--model", tiny_model).exit_code
    assert 0 == run("backup", tmp_path / "kept", "--data", tmp_path / "data").exit_code
    (music / "0000.flac").unlink()
    return tmp_path / "data"


def key_space(store: RedisStore) -> dict[bytes, bytes | None]:
    """Every key of the server, whoever it is of, and what it holds."""
    with closing(connect(store.address)) as client:
        return {key: client.dump(key) for key in client.scan_iter()}


@pytest.mark.parametrize(
    "command",
    [
        *("add music", "sync music --allow-removals", "retry", "reindex --allow-removals", "remove music", "rebuild"),
        *("backup new", "restore kept --replace"),
    ],
)
def test_a_dry_run_changes_nothing(
    tried: Path, tiny_model: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not who wrote last; and a program is told the catalogue's tracks as they are."""
    monkeypatch.chdir(tried.parent)
    model: list[str | Path] = ["--model", tiny_model] if command.split(maxsplit=1)[0] in HEARING else []
    with open_store(tried) as store:
        before, files = key_space(store), sorted(tried.parent.rglob("*"))
        done = run(*command.split(), "--data", tried, *model, "--dry-run", "--json")

        assert (0, 3, True) == (done.exit_code, (told := json.loads(done.stdout))["tracks"], told["dry_run"])
        assert before == key_space(store)
        assert files == sorted(tried.parent.rglob("*"))


@pytest.mark.parametrize("command", ["add music", "sync music", "retry"])
def test_a_dry_run_is_refused_what_the_run_would_be(
    tried: Path, tiny_model: Path, other_model: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalogue of another model is none that could be added to, also where nobody adds yet: both are named."""
    monkeypatch.chdir(tried.parent)
    done = run(*command.split(), "--data", tried, "--model", other_model, "--dry-run")

    assert 1 == done.exit_code
    assert all(read_manifest(model).model_id in done.stderr for model in (tiny_model, other_model))
