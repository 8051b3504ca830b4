"""The settings of ``segue-indexer`` from the file that the server reads, too."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.private.server import open_private_redis
from tests.helpers.catalogue.tracks import WIDTH, addition
from tests.helpers.indexer import PROGRAM


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis with a catalogue of three tracks."""
    with open_private_redis(tmp_path / "redis") as private:
        with open_store(tmp_path / "filler", private.url) as store, store.writer("model", "front end", WIDTH) as writer:
            writer.add([addition(number) for number in range(3)])
        yield private.url


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs segue-indexer as a process in a folder, with settings from there or from the environment alone."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
    return subprocess.run(
        [*PROGRAM, *arguments], cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )


def test_one_file_for_server_and_indexer(tmp_path: Path, redis: str) -> None:
    """The commands that docs/operations.md prints work on the server's Redis, without an option."""
    (tmp_path / "segue.toml").write_text(
        f'data = "data"\nredis = "{redis}"\n[server]\nlisten = "[::]:1"\n[indexer]\njobs = 2\nfile-seconds = 60\n'
    )
    assert 3 == json.loads(run(tmp_path, "status", "--json").stdout)["tracks"]
    ended = run(tmp_path, "backup", "saved")
    assert (0, "Wrote 3 tracks to saved") == (ended.returncode, ended.stdout[:23])
    assert (
        3 == json.loads(run(Path("/"), "status", "--json", SEGUE_CONFIG=str(tmp_path / "segue.toml")).stdout)["tracks"]
    )


def test_precedence(tmp_path: Path, redis: str) -> None:
    """The command line takes precedence over the environment, and the environment over the file."""
    (tmp_path / "segue.toml").write_text('data = "data"\nredis = "http://file"\n[indexer]\nredis = "http://section"\n')
    assert "'http://section' is not" in run(tmp_path, "status").stderr
    assert "'http://variable' is not" in run(tmp_path, "status", SEGUE_REDIS="http://variable").stderr
    ended = run(tmp_path, "status", "--json", "--redis", redis, SEGUE_REDIS="http://variable")
    assert 3 == json.loads(ended.stdout)["tracks"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[indexer]\njob = 2", "segue.toml has an unknown name in its section indexer, job. Did you mean jobs?"),
        ("grace = 1", "segue.toml has an unknown name, grace."),
        ("[indexer]\nnice = 20", "nice in segue.toml: 20 is not in the range 0<=x<=19."),
    ],
)
def test_invalid_settings(tmp_path: Path, text: str, message: str) -> None:
    """A wrong name or value makes the command wrong, and nothing is created."""
    (tmp_path / "segue.toml").write_text(f'data = "data"\n{text}\n')
    ended = run(tmp_path, "add", ".")
    assert (2, True) == (ended.returncode, message in ended.stderr), ended.stderr
    assert not (tmp_path / "data").exists()
