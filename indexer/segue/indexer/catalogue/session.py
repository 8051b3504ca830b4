"""The composition root: builds every part of the indexer, in the order in which a wrong setting is cheapest to tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segue.core.catalogue.records import Identity
from segue.core.catalogue.store import TrackWriter, WritableStore, check_same_model
from segue.core.errors import CatalogueEmpty, CatalogueMismatch
from segue.core.features.windows import Windows
from segue.core.model.artifact import Manifest, read_manifest
from segue.core.model.saved_model import Model, Prediction
from segue.core.process_pool import ProcessPool
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.core.redis_catalogue.writer import RedisWriter
from segue.core.worker_process import JobLimits
from segue.indexer.pipeline.examine import Examined, Failure, examine
from segue.indexer.settings import Settings

# Loaded once, and shared by every process that examines files.
_PRELOADED = ("segue.indexer.pipeline.examine", "librosa.filters")
_MIB = 2**20


class LazyModel:
    """A network that is loaded when there is something to hear: most runs over a library find nothing new."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._model: Model | None = None
        self.labels = manifest.labels

    def predict(self, pieces: Sequence[Windows]) -> list[Prediction]:
        """What the network makes of each piece."""
        if self._model is None:
            self._model = Model.load(self._folder)
        return self._model.predict(pieces)


@dataclass(frozen=True)
class Session:
    """The session that a run works with; the catalogue is locked for it."""

    store: WritableStore
    writer: TrackWriter
    workers: ProcessPool[Path, Examined | Failure]
    predictor: LazyModel


@contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """Builds the session, and takes them apart at the end.

    Raises:
        ArtifactError: the model cannot be used.
        CatalogueLocked: another indexer is at work.
        CatalogueMismatch: the catalogue was made by another model or front end.
        StoreUnavailable: Redis does not answer.
    """
    manifest = read_manifest(settings.model)
    with open_store(settings.data, settings.redis_url) as store, _session_over(settings, manifest, store) as session:
        yield session


@contextmanager
def open_staging_session(settings: Settings) -> Iterator[tuple[RedisStore, RedisWriter, Session]]:
    """Builds the session over the staging catalogue, and yields the live store, its writer and the session.

    What a run over the same model left unfinished there is gone on with; what another left is removed.

    Raises:
        ArtifactError: the model cannot be used.
        CatalogueEmpty: there is no catalogue that this one could take the place of.
        CatalogueLocked: another indexer is at work.
        StoreUnavailable: Redis does not answer.
    """
    manifest = read_manifest(settings.model)
    with open_for_writing(settings.data, settings.redis_url) as (store, writer), store.staging() as beside:
        begun = beside.identity()
        if begun is None or begun.key != manifest.key:
            writer.clear_staging()
        with _session_over(settings, manifest, beside) as session:
            yield store, writer, session


@contextmanager
def _session_over(settings: Settings, manifest: Manifest, store: RedisStore) -> Iterator[Session]:
    """The session over a store, which is locked."""
    features = manifest.features
    limits = JobLimits(settings.file_seconds, settings.file_memory * _MIB)
    work = partial(examine, config=features, max_windows=manifest.windows)
    current_identity(store)
    with (
        store.writer(*manifest.key) as writer,
        ProcessPool(settings.jobs, work, preload=_PRELOADED, limits=limits) as workers,
    ):
        # Only now: a private Redis that was started for this run may be shared with a server.
        os.nice(settings.nice)
        yield Session(store, writer, workers, LazyModel(settings.model, manifest))


@contextmanager
def open_for_writing(data: Path, redis_url: str | None) -> Iterator[tuple[RedisStore, RedisWriter]]:
    """The catalogue that stands, locked for writing; no model is needed, for nothing will be heard.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer is at work.
        CatalogueMismatch: there are tracks, and it is lost what made them.
        StoreUnavailable: Redis does not answer.
    """
    with open_store(data, redis_url) as store:
        identity = require_identity(store)
        with store.writer(*identity.key) as writer:
            yield store, writer


@contextmanager
def rehearsing(settings: Settings) -> Iterator[RedisStore]:
    """The catalogue for a dry run, not locked; what a run would be refused for, this is refused for too.

    Raises:
        ArtifactError: the model cannot be used.
        CatalogueMismatch: the catalogue was made by another model or front end, or it is lost by which.
        StoreUnavailable: Redis does not answer.
    """
    manifest = read_manifest(settings.model)
    with open_store(settings.data, settings.redis_url) as store:
        check_same_model(current_identity(store), manifest.key, store.address)
        yield store


def require_identity(store: RedisStore) -> Identity:
    """What the catalogue is.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueMismatch: there are tracks, and it is lost what made them.
        StoreUnavailable: Redis does not answer.
    """
    identity = current_identity(store)
    if identity is None:
        raise CatalogueEmpty("There is no catalogue yet. Run segue-indexer add FOLDER first.")
    return identity


def current_identity(store: RedisStore) -> Identity | None:
    """What the catalogue is, None where nothing was ever written.

    Raises:
        CatalogueMismatch: there are tracks, and it is lost what made them.
        StoreUnavailable: Redis does not answer.
    """
    identity = store.identity()
    if identity is None and store.count():
        raise CatalogueMismatch(
            f"The catalogue at {store.address} has {store.count()} tracks, and does not say any more which model "
            "made them. Bring a backup of this Redis back, run segue-indexer restore FILE --replace, or give --data a "
            "new folder and add the music again."
        )
    return identity
