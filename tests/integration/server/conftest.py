"""A server over twenty clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from segue.core.index.publishing import publish
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.redis_catalogue.open import open_store
from tests.helpers.clips import Fill, clip_addition
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs


@pytest.fixture(scope="session")
def loaded_tiny_model(tiny_model: Path) -> Model:
    """The tiny model, loaded once."""
    return load_model(tiny_model)


@pytest.fixture(scope="session")
def fill(loaded_tiny_model: Model) -> Fill:
    """A function that writes clips to the catalogue in a data folder, as the indexer does, and returns their ids."""

    def write(data: Path, clips: Sequence[Path]) -> list[str]:
        additions = [clip_addition(loaded_tiny_model, clip) for clip in clips]
        with open_store(data) as store:
            with store.writer(*loaded_tiny_model.manifest.key) as writer:
                writer.add(additions)
            publish(data, store)
        return [addition.track.track_id for addition in additions]

    return write


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the catalogue."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def ids(data: Path, fill: Fill, clips: list[Path]) -> list[str]:
    """The ids of the twenty tracks of the catalogue."""
    return fill(data, clips)


@pytest.fixture(scope="session")
def server(data: Path, ids: list[str], tiny_model: Path) -> Iterator[RunningServer]:
    """A server over the catalogue, for tests that do not change it."""
    options = ("--data", str(data), "--model", str(tiny_model), "--metrics-listen", "127.0.0.1:0")
    with running_server(*options) as running:
        yield running


@pytest.fixture(scope="session")
def stubs(server: RunningServer) -> Stubs:
    """Calls to that server."""
    return Stubs(server.address)
