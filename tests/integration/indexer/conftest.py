"""Fixtures of the indexer's integration tests: a process with a private Redis in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from segue.core.model.artifact import read_manifest, write_manifest
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import WIDTH, addition
from tests.helpers.indexer import Indexer


@pytest.fixture
def indexer(tmp_path: Path, tiny_model: Path) -> Indexer:
    """An indexer without a catalogue."""
    return Indexer(tmp_path / "data", tiny_model)


@pytest.fixture
def other_model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model with another id, as after training again."""
    folder = tmp_path / "other-model"
    shutil.copytree(tiny_model, folder)
    write_manifest(folder, replace(read_manifest(folder), name="other"))
    return folder


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[RedisStore]:
    """A catalogue of twenty built tracks in the folder ``tmp_path``, without an index."""
    with open_store(tmp_path) as store:
        with store.writer("model", "front end", WIDTH) as writer:
            writer.add([addition(number) for number in range(20)])
        yield store
