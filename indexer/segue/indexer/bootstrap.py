"""The composition root: builds every part of the indexer, in the order in which a wrong setting is cheapest to tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segue.core.artifact import Manifest, read_manifest
from segue.core.connect import open_store
from segue.core.errors import CatalogueEmpty, CatalogueMismatch
from segue.core.model import Heard, Model
from segue.core.redis_store import RedisStore
from segue.core.redis_writer import RedisWriter
from segue.core.store import TrackWriter, WritableStore
from segue.core.windows import Windows
from segue.core.workers import Limits, Workers
from segue.indexer.work import Examined, Failure, examine

# Loaded once, and shared by every process that examines files.
_PRELOADED = ("segue.indexer.work", "librosa.filters")
_MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """What the indexer is told at its start.

    Attributes:
        data: the folder where Segue keeps its state.
        redis_url: the Redis to use, or None for a private one in ``data``.
        model: the artifact's folder.
        jobs: how many files are examined at once, at least 1.
        file_seconds: how long one file may take.
        file_memory: how much memory one file may take, in MiB.
    """

    data: Path
    redis_url: str | None
    model: Path
    jobs: int
    file_seconds: float
    file_memory: int


class LazyModel:
    """A network that is loaded when there is something to hear: most runs over a library find nothing new."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._model: Model | None = None
        self.labels = manifest.labels

    def hear(self, pieces: Sequence[Windows]) -> list[Heard]:
        """What the network makes of each piece."""
        if self._model is None:
            self._model = Model.load(self._folder)
        return self._model.hear(pieces)


@dataclass(frozen=True)
class Parts:
    """The parts that a run works with; the catalogue is locked for it."""

    store: WritableStore
    writer: TrackWriter
    workers: Workers[Path, Examined | Failure]
    ears: LazyModel


@contextmanager
def assemble(settings: Settings) -> Iterator[Parts]:
    """Builds the parts, and takes them apart at the end.

    Raises:
        ArtifactError: the model cannot be used.
        CatalogueLocked: another indexer is at work.
        CatalogueMismatch: the catalogue was made by another model or front end.
        StoreUnavailable: Redis does not answer.
    """
    manifest = read_manifest(settings.model)
    features = manifest.features
    limits = Limits(settings.file_seconds, settings.file_memory * _MIB)
    work = partial(examine, config=features, most=manifest.windows)
    with (
        open_store(settings.data, settings.redis_url) as store,
        store.writer(manifest.model_id, features.fingerprint, manifest.embedding_width) as writer,
        Workers(settings.jobs, work, preload=_PRELOADED, limits=limits) as workers,
    ):
        yield Parts(store, writer, workers, LazyModel(settings.model, manifest))


@contextmanager
def reopen(data: Path, redis_url: str | None) -> Iterator[tuple[RedisStore, RedisWriter]]:
    """The catalogue that stands, locked for writing; no model is needed, for nothing will be heard.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer is at work.
        CatalogueMismatch: there are tracks, and it is lost what made them.
        StoreUnavailable: Redis does not answer.
    """
    with open_store(data, redis_url) as store:
        identity = store.identity()
        if identity is None and store.count():
            raise CatalogueMismatch(
                f"The catalogue at {store.address} has {store.count()} tracks, and does not say any more which model "
                "made them. Bring a backup of this Redis back, or give --data a new folder and add the music again."
            )
        if identity is None:
            raise CatalogueEmpty("There is no catalogue yet. Run segue-indexer add FOLDER first.")
        with store.writer(identity.model_id, identity.fingerprint, identity.width) as writer:
            yield store, writer
