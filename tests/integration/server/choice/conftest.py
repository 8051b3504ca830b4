"""A server of an invented catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.model.artifact import Manifest, read_manifest
from segue.core.redis_catalogue.open import open_store
from segue.v1.recommendation_service_pb2 import (
    TrackFilter,
)
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.invented_catalogue import TRACKS, own, recommended, track, vector
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, is_started


@pytest.fixture(scope="module")
def manifest(tagging_model: Path) -> Manifest:
    """The manifest of the model."""
    return read_manifest(tagging_model)


@pytest.fixture(scope="module")
def labels(manifest: Manifest) -> tuple[str, ...]:
    """The genres of the model."""
    return manifest.labels


@pytest.fixture(scope="module")
def width(manifest: Manifest) -> int:
    """The width of the model's embeddings."""
    return manifest.embedding_width


@pytest.fixture(scope="module")
def tracks(manifest: Manifest) -> dict[str, Track]:
    """The tracks of the catalogue, by id."""
    return {track_id(number): replace(track(number, manifest), own=own(number)) for number in range(TRACKS)}


@pytest.fixture(scope="module")
def stubs(
    tmp_path_factory: pytest.TempPathFactory, tagging_model: Path, manifest: Manifest, tracks: dict[str, Track]
) -> Iterator[Stubs]:
    """Calls to a server that has read the properties of all tracks."""
    data = tmp_path_factory.mktemp("choice")
    key = manifest.key
    additions = [
        Addition(known, vector(number, key.width), PathRecord(known.path, 1, 1, known.track_id, own=own(number)))
        for number, known in enumerate(tracks.values())
    ]
    with open_store(data) as store, store.writer(*key) as writer:
        writer.add(additions)
    with running_server("--data", str(data), "--model", str(tagging_model)) as running:
        stubs = Stubs(running.address)
        wait_until(lambda: is_started(lambda: recommended(stubs, filter=TrackFilter(min_year=1))))
        yield stubs
