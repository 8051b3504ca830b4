"""The composition root: builds every part of the server, in the order in which a wrong setting is cheapest to tell."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack

from segue.core.errors import StoreUnavailable
from segue.core.model.artifact import Manifest
from segue.core.model.saved_model import Model
from segue.core.process_pool import ProcessPool
from segue.core.redis_catalogue.client import SERVER_TIMEOUTS, connect
from segue.core.redis_catalogue.open import open_store
from segue.server.components import Components, ListenerSecurity
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.decode_worker import DECODE_LIMITS, PRELOADED, DecodedClip, DecodeTask, DecodeWorker
from segue.server.inference.engine import Engine
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.observability.metrics import Metrics
from segue.server.security.exposure import exposure_warnings
from segue.server.security.tls import Tls, tls_files, watch_balancer
from segue.server.security.tokens import Tokens
from segue.server.settings import Settings

# Reading the catalogue is waiting for Redis, so threads are many, but not without end.
_READERS, _MOST_READING = 16, 512

_log = logging.getLogger(__name__)


def read_listener_security(settings: Settings, metrics: Metrics) -> ListenerSecurity:
    """Reads certificates and tokens before any port is opened.

    Raises:
        MalformedRequest: they cannot be used, or one of them is given without the other that it needs.
    """
    files = tls_files(settings)
    tls = Tls(files, metrics) if files else None
    if settings.balancer_certificate and not tls:
        watch_balancer(settings.balancer_certificate, metrics)
    tokens = Tokens(settings.tokens) if settings.tokens else None
    for warning in exposure_warnings(settings):
        _log.warning("%s", warning)
    return ListenerSecurity(tls, tokens)


def _listeners(manifest: Manifest, workers: int) -> ProcessPool[DecodeTask, DecodedClip]:
    return ProcessPool(
        workers, DecodeWorker(manifest.features, manifest.windows), preload=PRELOADED, limits=DECODE_LIMITS
    )


def _try_out(listeners: ProcessPool[DecodeTask, DecodedClip], manifest: Manifest) -> list[Future[DecodedClip]]:
    """Has every process load what it needs, each kept busy while the others are started."""
    task = DecodeWorker(manifest.features, manifest.windows).warm_up_task()
    return [listeners.submit(task) for _ in range(listeners.jobs)]


def _catalogue(settings: Settings, manifest: Manifest, metrics: Metrics) -> LiveCatalogue:
    catalogue = LiveCatalogue(
        settings.data,
        manifest,
        lambda: open_store(settings.data, settings.redis, SERVER_TIMEOUTS),
        metrics,
    )
    metrics.follow_view(lambda: catalogue.view)
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

    def build(self) -> Components:
        """Builds the parts.

        Raises:
            ArtifactError: the model cannot be used.
            CatalogueMismatch: the catalogue was made by another model or front end.
            StoreUnavailable: what was given as the address of a Redis is none; one that does not answer is waited for.
            CancelledError: it was abandoned.
        """
        if self._settings.redis:
            connect(self._settings.redis).close()
        model = Model.load(self._settings.model)
        self._metrics.set_model(model.manifest.model_id)
        listeners = self._made.enter_context(_listeners(model.manifest, self._settings.workers))
        tried = _try_out(listeners, model.manifest)
        catalogue = self._followed(model.manifest)
        model.warm_up()
        for one in tried:
            one.result()
        engine = Engine(model, listeners, self._settings.queue_seconds, self._metrics)
        self._made.callback(engine.close)
        readers = BoundedExecutor("read", _READERS, _MOST_READING)
        self._made.callback(readers.close)
        return Components(engine, catalogue, readers, self._metrics)

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
