"""Opens the catalogue for a command, and builds the parts of a run; the cheapest checks come first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.store import WritableStore
from segue.core.errors import CatalogueEmpty, CatalogueMismatch
from segue.core.features.windows import Windows
from segue.core.model.artifact import Manifest, read_manifest
from segue.core.model.engine import EngineChoice
from segue.core.model.known_models import find_model, remember_model, require_model
from segue.core.model.load_model import choose_engine, load_model
from segue.core.model.trained_model import Model, Prediction
from segue.core.process_pool import ProcessPool
from segue.core.quantities import quantity
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.core.redis_catalogue.writer import RedisWriter
from segue.core.worker_process import JobLimits
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.examine import examine_file, try_decoding
from segue.indexer.pipeline.pipeline import Pipeline
from segue.indexer.pipeline.records import Examined, Failure, MusicFile, SameAudio, Source
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.settings import CatalogueSettings, Settings

# Loaded once, and shared by all worker processes.
_PRELOADED = ("segue.indexer.pipeline.examine",)
_MIB = 2**20

PATIENCE_SECONDS = 5.0
"""Time to wait for the lock of the catalogue: a server that writes for callers holds it for a moment each time."""


class LazyModel:
    """A model that is loaded at the first prediction: most runs over a library find no new file."""

    def __init__(self, folder: Path, manifest: Manifest, engine: EngineChoice, *, keep_windows: bool = False) -> None:
        self._folder, self._engine = folder, engine
        self._keep_windows = keep_windows
        self._model: Model | None = None
        self.model_id = manifest.model_id
        self.labels = manifest.labels
        self.tags = manifest.tags

    def load(self) -> Model:
        """Loads the model unless it is loaded, and returns it."""
        if self._model is None:
            self._model = load_model(self._folder, self._engine)
        return self._model

    def predict(self, clips: Sequence[Windows]) -> list[Prediction]:
        """Returns the prediction for each clip, in order."""
        return self.load().predict(clips, keep_windows=self._keep_windows)


@dataclass(frozen=True)
class Session:
    """Parts of a run over a catalogue that is locked for writing.

    Attributes:
        store: the catalogue.
        writer: its writer.
        workers: processes that examine files.
        predictor: the model.
    """

    store: WritableStore
    writer: RedisWriter
    workers: ProcessPool[MusicFile, Examined | SameAudio | Failure]
    predictor: LazyModel

    def index_files(self, sources: Iterable[Source], counts: RunCounts, interrupt: Interrupt, show: Show) -> list[str]:
        """Indexes files and returns the paths of the missing ones; see ``Pipeline.run``."""
        counts.model = self.predictor.model_id
        pipeline = Pipeline(self.workers, self.predictor, self.store, self.writer, counts, show)
        return pipeline.run(sources, interrupt.requested)


@contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """Opens a session over the catalogue.

    Raises:
        ArtifactError: the model cannot be used.
        EnvironmentUnusable: the engine of the settings is not installed.
        CatalogueLocked: another indexer writes the catalogue.
        CatalogueMismatch: another model or front end built the catalogue.
        StoreUnavailable: Redis does not answer.
    """
    with (
        open_with_model(settings) as (store, folder, manifest),
        _session_over(store, settings, folder, manifest) as session,
    ):
        yield session


@dataclass(frozen=True)
class SessionFactory:
    """Opens sessions one after the other, with the same connection, processes and model.

    Attributes:
        store: the catalogue.
        workers: processes that examine files.
        predictor: the model.
    """

    store: RedisStore
    workers: ProcessPool[MusicFile, Examined | SameAudio | Failure]
    predictor: LazyModel
    _settings: Settings
    _folder: Path
    _manifest: Manifest

    def warm_up(self) -> None:
        """Starts what the first file would wait for: the model, and the server of the processes."""
        self.workers.start()
        self.predictor.load()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Locks the catalogue for the duration of the block; raises what ``open_session`` raises."""
        current_identity(self.store)  # raises if it is damaged: a writer would give it a new identity
        with self.store.writer(*self._manifest.key, patience=PATIENCE_SECONDS) as writer:
            remember_model(self._settings.data, self._folder, self._manifest.model_id)
            yield Session(self.store, writer, self.workers, self.predictor)


@contextmanager
def open_sessions(settings: Settings) -> Iterator[SessionFactory]:
    """Opens the parts that sessions share; the catalogue is not locked. Raises what ``open_session`` raises."""
    with (
        open_with_model(settings) as (store, folder, manifest),
        _sessions_over(store, settings, folder, manifest) as factory,
    ):
        os.nice(settings.nice)
        yield factory


@contextmanager
def open_with_model(settings: Settings) -> Iterator[tuple[RedisStore, Path, Manifest]]:
    """Opens the catalogue, and checks the model that is named, or else the one that built the catalogue.

    Yields:
        The catalogue, the folder of the model and its manifest.

    Raises:
        ArtifactError: the model cannot be used. One that is named is checked before Redis is started.
        EnvironmentUnusable: the engine of the settings is not installed.
        CatalogueMismatch: no model is named, and there are tracks without a record of the model that built them.
        StoreUnavailable: Redis does not answer.
    """
    named = _read_usable(require_model(settings.model), settings.engine) if settings.model else None
    with open_store(settings.data, settings.redis_url) as store:
        folder = settings.model or find_model(current_identity(store), settings.data)
        yield store, folder, named or _read_usable(folder, settings.engine)


def _read_usable(folder: Path, engine: EngineChoice) -> Manifest:
    """Reads the manifest of a model, and checks that there is an engine for it."""
    manifest = read_manifest(folder)
    choose_engine(folder, manifest, engine)
    return manifest


@contextmanager
def open_staging_session(settings: Settings) -> Iterator[tuple[RedisStore, RedisWriter, Session]]:
    """Opens a session over a staging catalogue, which can replace the live one.

    Work that an unfinished run with the same model left there is kept; work of another model is removed.

    Yields:
        The live catalogue, its writer, and the session.

    Raises:
        ArtifactError: the model cannot be used.
        EnvironmentUnusable: the engine of the settings is not installed.
        CatalogueEmpty: there is no live catalogue.
        CatalogueLocked: another indexer writes the catalogue.
        StoreUnavailable: Redis does not answer.
    """
    with (
        open_with_model(settings) as (store, folder, manifest),
        _locked(store) as writer,
        store.staging() as staging,
    ):
        unfinished = staging.identity()
        if unfinished is None or unfinished.key != manifest.key:
            writer.clear_staging()
        with _session_over(staging, settings, folder, manifest) as session:
            yield store, writer, session


@contextmanager
def _session_over(store: RedisStore, settings: Settings, folder: Path, manifest: Manifest) -> Iterator[Session]:
    """Locks a catalogue and opens a session over it, with the model in a folder."""
    with _sessions_over(store, settings, folder, manifest) as factory, factory.session() as session:
        # Only now: a private Redis that was started for this run may be shared with a server.
        os.nice(settings.nice)
        yield session


@contextmanager
def _sessions_over(store: RedisStore, settings: Settings, folder: Path, manifest: Manifest) -> Iterator[SessionFactory]:
    limits = JobLimits(settings.file_seconds, settings.file_memory * _MIB)
    work = partial(examine_file, config=manifest.features, max_windows=manifest.windows)
    trial = partial(try_decoding, manifest.features)
    with ProcessPool(settings.jobs, work, preload=_PRELOADED, trial=trial, limits=limits) as workers:
        model = LazyModel(folder, manifest, settings.engine, keep_windows=settings.keep_windows)
        yield SessionFactory(store, workers, model, settings, folder, manifest)


@contextmanager
def open_for_writing(settings: CatalogueSettings) -> Iterator[tuple[RedisStore, RedisWriter]]:
    """Opens and locks an existing catalogue without a model.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer writes the catalogue.
        CatalogueMismatch: there are tracks, but no record of the model that built them.
        StoreUnavailable: Redis does not answer.
    """
    with open_store(settings.data, settings.redis_url) as store, _locked(store) as writer:
        yield store, writer


@contextmanager
def _locked(store: RedisStore) -> Iterator[RedisWriter]:
    """Locks an existing catalogue, whatever its model."""
    with store.writer(*require_identity(store).key, patience=PATIENCE_SECONDS) as writer:
        yield writer


def require_identity(store: RedisStore) -> Identity:
    """Returns the identity of an existing catalogue.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueMismatch: there are tracks, but no record of the model that built them.
        StoreUnavailable: Redis does not answer.
    """
    identity = current_identity(store)
    if identity is None:
        raise CatalogueEmpty(
            f"There is no catalogue at {store.address} yet. Run `segue-indexer add FOLDER` first. If there is one "
            "elsewhere, name its Redis with --redis, or its data folder with --data."
        )
    return identity


def require_content(store: RedisStore) -> None:
    """Checks that a catalogue has a track, or a file that failed.

    Raises:
        CatalogueEmpty: it has neither, or nothing was ever written.
        CatalogueMismatch: there are tracks, but no record of the model that built them.
        StoreUnavailable: Redis does not answer.
    """
    require_identity(store)
    if store.count() == 0 and next(store.all_failures(), None) is None:
        raise CatalogueEmpty(f"The catalogue at {store.address} is empty. Run `segue-indexer add FOLDER` first.")


def current_identity(store: RedisStore) -> Identity | None:
    """Returns the identity of the catalogue, or None if nothing was ever written.

    Raises:
        CatalogueMismatch: there are tracks, but no record of the model that built them.
        StoreUnavailable: Redis does not answer.
    """
    identity = store.identity()
    if identity is None and (store.count() or store.revision()):
        raise CatalogueMismatch(
            f"The catalogue at {store.address} has {quantity(store.count(), 'track')} but no record of the model that "
            "built it. Does this Redis evict keys (maxmemory-policy)? Restore a backup of it, run "
            "`segue-indexer restore FILE --replace`, or give --data a new folder and add the music again."
        )
    return identity
