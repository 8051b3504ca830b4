"""The composition root: builds every part of the server, in the order in which a wrong setting is cheapest to tell."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from segue.core.artifact import Manifest
from segue.core.connect import open_store
from segue.core.errors import StoreUnavailable
from segue.core.model import Model
from segue.core.redis_client import BRISK, connect
from segue.core.workers import Workers
from segue.server.admission import LEAST_SECONDS
from segue.server.catalogue import LiveCatalogue
from segue.server.engine import Engine
from segue.server.listening import LIMITS, PRELOADED, Listened, Listening, Task
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
        workers: how many processes decode, at least 1.
        queue_seconds: how many seconds of audio may wait or be heard, at least 1.
    """

    data: Path
    redis_url: str | None
    model: Path
    workers: int
    queue_seconds: float

    @property
    def most_pieces(self) -> int:
        """How many pieces may wait or be heard, if all are short."""
        return int(self.queue_seconds / LEAST_SECONDS) + 1


@dataclass(frozen=True)
class Parts:
    """The parts that the services work with."""

    engine: Engine
    catalogue: LiveCatalogue
    readers: BoundedThreads
    metrics: Metrics

    @property
    def model_id(self) -> str:
        """What the loaded network is called."""
        return self.engine.model.manifest.model_id


def _listeners(manifest: Manifest, workers: int) -> Workers[Task, Listened]:
    return Workers(workers, Listening(manifest.features, manifest.windows), preload=PRELOADED, limits=LIMITS)


def _try_out(listeners: Workers[Task, Listened], manifest: Manifest) -> list[Future[Listened]]:
    """Has every process load what it needs, each kept busy while the others are started."""
    task = Listening(manifest.features, manifest.windows).try_out()
    return [listeners.submit(task) for _ in range(listeners.jobs)]


def _catalogue(settings: Settings, manifest: Manifest, metrics: Metrics) -> LiveCatalogue:
    catalogue = LiveCatalogue(
        settings.data,
        manifest,
        lambda: open_store(settings.data, settings.redis_url, BRISK),
        metrics,
    )
    metrics.searching(lambda: catalogue.view)
    metrics.store_up.set_function(lambda: not isinstance(catalogue.problem, StoreUnavailable))
    return catalogue


@contextmanager
def assemble(settings: Settings, metrics: Metrics) -> Iterator[Parts]:
    """Builds the parts, and takes them apart at the end.

    Args:
        settings: what the server is told at its start.
        metrics: where the parts count what they do.

    Raises:
        ArtifactError: the model cannot be used.
        CatalogueMismatch: the catalogue was made by another model or front end.
        StoreUnavailable: what was given as the address of a Redis is none; one that does not answer is waited for.
    """
    if settings.redis_url:
        connect(settings.redis_url).close()
    with ExitStack() as stack:
        model = Model.load(settings.model)
        metrics.model(model.manifest.model_id)
        listeners = stack.enter_context(_listeners(model.manifest, settings.workers))
        tried = _try_out(listeners, model.manifest)
        catalogue = _catalogue(settings, model.manifest, metrics)
        stack.callback(catalogue.close)
        catalogue.start()
        model.warm_up()
        for one in tried:
            one.result()
        engine = Engine(model, listeners, settings.queue_seconds, metrics)
        stack.callback(engine.close)
        readers = BoundedThreads("read", _READERS, _MOST_READING)
        stack.callback(readers.close)
        yield Parts(engine, catalogue, readers, metrics)
