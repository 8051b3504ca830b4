"""The composition root: builds every part of the server, in the order in which a wrong setting is cheapest to tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from segue.core.connect import open_store
from segue.core.errors import StoreUnavailable
from segue.core.model import Model
from segue.core.redis_client import BRISK
from segue.server.catalogue import LiveCatalogue
from segue.server.engine import Engine
from segue.server.metrics import Metrics
from segue.server.threads import BoundedThreads

# Reading the catalogue is waiting for Redis, so threads are many, but not without end.
_READERS, _MOST_READING = 16, 512


@dataclass(frozen=True)
class Settings:
    """What the server is told at its start.

    Attributes:
        data: the folder where Segue keeps its state.
        redis_url: the Redis to use, or None for a private one in ``data``.
        model: the artifact's folder.
        workers: how many pieces are heard at once, at least 1.
        most_waiting: how many pieces may wait or be heard, at least 1.
    """

    data: Path
    redis_url: str | None
    model: Path
    workers: int
    most_waiting: int


@dataclass(frozen=True)
class Parts:
    """The parts that the services work with."""

    engine: Engine
    catalogue: LiveCatalogue
    readers: BoundedThreads
    most_waiting: int
    metrics: Metrics

    @property
    def model_id(self) -> str:
        """What the loaded network is called."""
        return self.engine.model.manifest.model_id


@contextmanager
def assemble(settings: Settings, metrics: Metrics) -> Iterator[Parts]:
    """Builds the parts, and takes them apart at the end.

    Args:
        settings: what the server is told at its start.
        metrics: where the parts count what they do.

    Raises:
        ArtifactError: the model cannot be used.
        CatalogueMismatch: the catalogue was made by another model or front end.
    """
    model = Model.load(settings.model)
    catalogue = LiveCatalogue(
        settings.data, model.manifest, lambda: open_store(settings.data, settings.redis_url, BRISK)
    )
    metrics.model(model.manifest.model_id)
    metrics.searching(lambda: catalogue.view)
    metrics.store_up.set_function(lambda: not isinstance(catalogue.problem, StoreUnavailable))
    with ExitStack() as stack:
        stack.callback(catalogue.close)
        catalogue.start()
        model.warm_up(most=1)
        hearers = BoundedThreads("hear", settings.workers, settings.most_waiting)
        stack.callback(hearers.close)
        readers = BoundedThreads("read", _READERS, _MOST_READING)
        stack.callback(readers.close)
        yield Parts(Engine(model, hearers), catalogue, readers, settings.most_waiting, metrics)
