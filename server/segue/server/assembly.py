"""Builds every component of the server; those that reveal wrong settings come first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from pathlib import Path

from segue.core.catalogue.records import Track
from segue.core.errors import CatalogueLost, SegueError, StoreUnavailable
from segue.core.model.artifact import Manifest
from segue.core.model.known_models import remember_model, require_model
from segue.core.model.load_model import load_model
from segue.core.process_pool import ProcessPool
from segue.core.redis_catalogue.client import SERVER_TIMEOUTS, connect
from segue.core.redis_catalogue.open import open_store
from segue.server.components import Components, ListenerSecurity
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.decode_task import DecodedClip, DecodeTask
from segue.server.inference.decode_worker import DecodeWorker, create_workers
from segue.server.inference.engine import Engine
from segue.server.inference.open_spool import open_spool
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.live_catalogue.playlists.search import PlaylistSearch
from segue.server.live_catalogue.remembered_model import remembered_model
from segue.server.live_catalogue.successor import has_model
from segue.server.live_catalogue.text_search import TextSearch
from segue.server.live_catalogue.track_metadata import TrackMetadata
from segue.server.observability.metrics import Metrics
from segue.server.security.exposure import exposure_warnings
from segue.server.security.tls import Tls, tls_files, watch_balancer
from segue.server.security.tokens import Tokens
from segue.server.selection.recall_sample import RecallSample
from segue.server.settings import Settings
from segue.server.writing.writes import CatalogueWrites

# A reader of the catalogue mostly waits for Redis, so there are many threads, with a limit on queued reads.
_READER_THREADS, _MAX_PENDING_READS = 16, 512
_MIB = 2**20
# Two searches at once would not be quicker than one after the other, and would slow down all other calls.
_MAX_PENDING_SEARCHES = 64

EncodeTrack = Callable[[Track, tuple[str, ...]], bytes]
"""Encodes a track, given the names of the model's tags."""

_log = logging.getLogger(__name__)


def read_listener_security(settings: Settings, metrics: Metrics) -> ListenerSecurity:
    """Reads certificates and tokens before any port is opened, and logs warnings about an open port.

    Raises:
        MalformedRequest: a file cannot be used, or the settings name only one of two files that belong together.
    """
    files = tls_files(settings)
    tls = Tls(files, metrics) if files else None
    if settings.balancer_certificate and not tls:
        watch_balancer(settings.balancer_certificate, metrics)
    tokens = Tokens(settings.tokens, metrics) if settings.tokens else None
    for warning in exposure_warnings(settings):
        _log.warning("%s", warning)
    return ListenerSecurity(tls, tokens)


def _warm_up(workers: ProcessPool[DecodeTask, DecodedClip], manifest: Manifest) -> list[Future[DecodedClip]]:
    """Makes every process load its modules; one task for each keeps it busy while the others start."""
    task = DecodeWorker(manifest.features, manifest.windows).warm_up_task()
    return [workers.submit(task) for _ in range(workers.jobs)]


def _create_catalogue(
    settings: Settings, manifest: Manifest, metrics: Metrics, encode_track: EncodeTrack
) -> LiveCatalogue:
    return LiveCatalogue(
        settings.data,
        manifest,
        lambda: open_store(settings.data, settings.redis, SERVER_TIMEOUTS),
        TrackMetadata(settings.metadata_mib * _MIB, lambda track: encode_track(track, manifest.tags)),
        metrics,
        has_successor=lambda identity: has_model(identity, settings.model, settings.data),
    )


def _show_metrics(components: Components, metrics: Metrics) -> None:
    """Makes the metrics those of the components."""
    catalogue, spool = components.catalogue, components.spool
    metrics.set_model(components.model_id)
    components.engine.show_metrics()
    metrics.spool_bytes.set_function(lambda: spool.used_bytes)
    metrics.follow_view(lambda: catalogue.view)
    metrics.metadata_bytes.set_function(lambda: catalogue.metadata.used_bytes)
    metrics.store_up.set_function(lambda: _is_up(catalogue.problem))
    metrics.catalogue_damaged.set_function(lambda: catalogue.is_damaged)
    metrics.damaged_records.set_function(lambda: catalogue.damaged_records)


def _is_up(problem: SegueError | None) -> bool:
    return not isinstance(problem, StoreUnavailable) or isinstance(problem, CatalogueLost)


class Assembly:
    """Builds the components in a thread that can be abandoned, and closes them."""

    def __init__(self, settings: Settings, metrics: Metrics, encode_track: EncodeTrack) -> None:
        """Builds nothing yet.

        Args:
            settings: settings of the server.
            metrics: metrics of the components.
            encode_track: encodes a track and the tags of the model as callers get them.
        """
        self._encode_track = encode_track
        self._settings = settings
        self._metrics = metrics
        self._resources = ExitStack()
        # The store from which the model is known, until the catalogue has opened its own: a private Redis starts once.
        self._first_store = ExitStack()
        self._catalogue: LiveCatalogue | None = None
        self._catalogue_lock = threading.Lock()
        self._abandoned = False

    def build(self, *, search_seconds: float = 0.0) -> Components:
        """Builds the components.

        Args:
            search_seconds: seconds to wait until the search of texts is ready.

        Raises:
            ArtifactError: the model cannot be used, or that of the catalogue is not here.
            EnvironmentUnusable: the folder for clips of streams cannot be written, or workers cannot read them.
            StoreUnavailable: the URL is not one of a Redis; a Redis that does not answer is awaited instead.
            CancelledError: the assembly was abandoned.
        """
        if self._settings.redis:
            connect(self._settings.redis).close()
        named = self._settings.model
        folder = require_model(named) if named else self._remembered_model()
        model = load_model(folder, self._settings.engine)
        workers = self._resources.enter_context(create_workers(model.manifest, self._settings.workers))
        warm_ups = _warm_up(workers, model.manifest)
        catalogue = self._start_catalogue(model.manifest)
        model.warm_up()
        for warm_up in warm_ups:
            warm_up.result()
        engine = Engine(model, workers, self._settings.queue_seconds, self._metrics)
        self._resources.callback(engine.close)
        readers = self._create_executor("read", _READER_THREADS, _MAX_PENDING_READS)
        spool = open_spool(self._settings, workers, model.manifest.features)
        search = TextSearch(catalogue)
        self._resources.callback(search.close)
        search.start()
        search.wait_until_complete(search_seconds)
        searchers = self._create_executor("search", 1, _MAX_PENDING_SEARCHES)
        nearest = CatalogueSearch(catalogue, self._metrics, self._create_sample())
        components = Components(
            engine,
            catalogue,
            nearest,
            PlaylistSearch(nearest, self._metrics),
            readers,
            spool,
            self._settings.clip_mib * _MIB,
            search,
            searchers,
            self._create_writes(model.manifest, folder),
        )
        # Not before: the model may not load, or take a minute, and until then another one serves.
        _show_metrics(components, self._metrics)
        return components

    def _create_executor(self, name: str, threads: int, max_pending: int) -> BoundedExecutor:
        executor = BoundedExecutor(name, threads, max_pending)
        self._resources.callback(executor.close)
        return executor

    def _create_writes(self, manifest: Manifest, folder: Path) -> CatalogueWrites:
        data = self._settings.data
        writes = CatalogueWrites(
            manifest,
            lambda: open_store(data, self._settings.redis, SERVER_TIMEOUTS),
            lambda: remember_model(data, folder, manifest.model_id),
            is_allowed=self._settings.allow_writes,
        )
        self._resources.callback(writes.close)
        return writes

    def _create_sample(self) -> RecallSample:
        sample = RecallSample(self._metrics.recall, self._settings.recall_sample)
        self._resources.callback(sample.close)
        return sample

    def _remembered_model(self) -> Path:
        """Returns the folder of the catalogue's model; leaves the store open, which ``abandon`` may close."""
        with self._catalogue_lock:
            if self._abandoned:
                raise CancelledError
            opened = open_store(self._settings.data, self._settings.redis, SERVER_TIMEOUTS)
            return remembered_model(self._settings.data, lambda: self._first_store.enter_context(opened))

    def _start_catalogue(self, manifest: Manifest) -> LiveCatalogue:
        """Starts the catalogue, which ``abandon`` may close while ``build`` goes on."""
        with self._catalogue_lock:
            if self._abandoned:
                raise CancelledError
            self._catalogue = _create_catalogue(self._settings, manifest, self._metrics, self._encode_track)
            self._resources.callback(self._catalogue.close)
            self._catalogue.start()
            self._first_store.close()
            return self._catalogue

    def close(self) -> None:
        """Closes the components, the last one first; ``build`` must have ended, or the assembly be abandoned."""
        if not self._abandoned:
            self._resources.close()
            self._first_store.close()

    def abandon(self) -> None:
        """Closes only the catalogue, whose private Redis would outlive the program; ``build`` may still be running."""
        with self._catalogue_lock:
            self._abandoned = True
            self._first_store.close()
            if self._catalogue:
                self._catalogue.close()
