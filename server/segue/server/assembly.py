"""The composition root: builds every part of the server, in the order in which a wrong setting is cheapest to tell."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from segue.core.errors import StoreUnavailable
from segue.core.model.artifact import Manifest
from segue.core.model.saved_model import Model
from segue.core.process_pool import ProcessPool
from segue.core.redis_catalogue.client import SERVER_TIMEOUTS, connect
from segue.core.redis_catalogue.open import open_store
from segue.server.inference.admission import LEAST_SECONDS
from segue.server.inference.bounded_executor import BoundedThreads
from segue.server.inference.decode_worker import LIMITS, PRELOADED, Listened, Listening, Task
from segue.server.inference.engine import Engine
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.observability.metrics import Metrics

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


def _listeners(manifest: Manifest, workers: int) -> ProcessPool[Task, Listened]:
    return ProcessPool(workers, Listening(manifest.features, manifest.windows), preload=PRELOADED, limits=LIMITS)


def _try_out(listeners: ProcessPool[Task, Listened], manifest: Manifest) -> list[Future[Listened]]:
    """Has every process load what it needs, each kept busy while the others are started."""
    task = Listening(manifest.features, manifest.windows).try_out()
    return [listeners.submit(task) for _ in range(listeners.jobs)]


def _catalogue(settings: Settings, manifest: Manifest, metrics: Metrics) -> LiveCatalogue:
    catalogue = LiveCatalogue(
        settings.data,
        manifest,
        lambda: open_store(settings.data, settings.redis_url, SERVER_TIMEOUTS),
        metrics,
    )
    metrics.searching(lambda: catalogue.view)
    metrics.store_up.set_function(lambda: not isinstance(catalogue.problem, StoreUnavailable))
    return catalogue


class Assembly:
    """Builds the parts in a thread, which can be left to itself, and takes them apart."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Takes what the server is told at its start, and where the parts count what they do."""
        self._settings = settings
        self._metrics = metrics
        self._made = ExitStack()
        self._catalogue: LiveCatalogue | None = None
        self._catalogue_lock = threading.Lock()
        self._abandoned = False

    def build(self) -> Parts:
        """Builds the parts.

        Raises:
            ArtifactError: the model cannot be used.
            CatalogueMismatch: the catalogue was made by another model or front end.
            StoreUnavailable: what was given as the address of a Redis is none; one that does not answer is waited for.
            CancelledError: it was abandoned.
        """
        if self._settings.redis_url:
            connect(self._settings.redis_url).close()
        model = Model.load(self._settings.model)
        self._metrics.model(model.manifest.model_id)
        listeners = self._made.enter_context(_listeners(model.manifest, self._settings.workers))
        tried = _try_out(listeners, model.manifest)
        catalogue = self._followed(model.manifest)
        model.warm_up()
        for one in tried:
            one.result()
        engine = Engine(model, listeners, self._settings.queue_seconds, self._metrics)
        self._made.callback(engine.close)
        readers = BoundedThreads("read", _READERS, _MOST_READING)
        self._made.callback(readers.close)
        return Parts(engine, catalogue, readers, self._metrics)

    def _followed(self, manifest: Manifest) -> LiveCatalogue:
        """The catalogue, of which somebody else may let go while the rest is built."""
        with self._catalogue_lock:
            if self._abandoned:
                raise CancelledError
            self._catalogue = _catalogue(self._settings, manifest, self._metrics)
            self._made.callback(self._catalogue.close)
            self._catalogue.start()
            return self._catalogue

    def close(self) -> None:
        """Takes apart what was built, the last part first; only when ``build`` has ended, or was abandoned."""
        if not self._abandoned:
            self._made.close()

    def abandon(self) -> None:
        """Leaves ``build`` to itself in a program that ends now, and lets go of what would outlive it: Redis."""
        with self._catalogue_lock:
            self._abandoned = True
            if self._catalogue:
                self._catalogue.close()
