"""Turns files into tracks: examines, predicts and commits them as a stream with a bounded number of files in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Protocol

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import Addition, FailureRecord, PathRecord, is_unit
from segue.core.catalogue.store import TrackStore, TrackWriter
from segue.core.catalogue.window_embeddings import WindowEmbeddings, pack_windows
from segue.core.errors import EmbeddingUnusable, WorkerDied, WorkerError
from segue.core.failpoints import Failpoint, reach
from segue.core.features.windows import Windows
from segue.core.model.network import MAX_BATCH
from segue.core.model.predicted_track import predicted_track
from segue.core.model.trained_model import Prediction
from segue.indexer.pipeline.records import Examined, Failure, Missing, MusicFile, NewMetadata, SameAudio, Source
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.pipeline.tag_updates import TagUpdates, inherited_metadata, with_tags

# Files in flight: enough that a long track does not leave the other workers idle; 200 kB of windows each.
_MIN_IN_FLIGHT, _IN_FLIGHT_PER_JOB = 32, 2

Result = Examined | SameAudio | Failure
"""The result of examining a file."""


class Examiner(Protocol):
    """Examines files in other processes or on other machines."""

    @property
    def jobs(self) -> int:
        """Number of files that are examined at once."""
        ...

    def submit(self, file: MusicFile) -> Future[Result]:
        """Submits a file; its future may raise a WorkerError."""
        ...


class Predictor(Protocol):
    """Predicts genres and embeddings."""

    @property
    def labels(self) -> Sequence[str]:
        """Genres, in the order of a posterior."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags, in the order of their scores; empty for a model that does not tag."""
        ...

    def predict(self, clips: Sequence[Windows]) -> list[Prediction]:
        """Returns the prediction for each clip, in order."""
        ...


class Pipeline:
    """Indexes files in their order, one batch in a transaction."""

    def __init__(
        self,
        examiner: Examiner,
        predictor: Predictor,
        store: TrackStore,
        writer: TrackWriter,
        counts: RunCounts,
        show: Show,
    ) -> None:
        """Creates a pipeline without starting it.

        Args:
            examiner: examines files.
            predictor: predicts from the examined files.
            store: the catalogue.
            writer: writes the tracks.
            counts: counts to update.
            show: called with the counts after each change.
        """
        self._examiner = examiner
        self._max_in_flight = max(_MIN_IN_FLIGHT, _IN_FLIGHT_PER_JOB * examiner.jobs)
        self._predictor = predictor
        self._store = store
        self._writer = writer
        self._counts = counts
        self._show = show
        self._unwritten_failures: list[FailureRecord] = []
        self._missing: list[str] = []
        self._described: list[PathRecord] = []
        self._tag_updates = TagUpdates(store, writer)

    def run(self, sources: Iterable[Source], stopped: Callable[[], bool]) -> list[str]:
        """Indexes files until the end or until ``stopped`` returns True; the batch at hand is committed even then.

        A file that fails is recorded, so that later runs need not open it again.

        Returns:
            The paths of the missing files among the sources.

        Raises:
            CatalogueLocked: another writer took over.
            StoreUnavailable: the store does not answer.
        """
        batch: list[tuple[MusicFile, Examined]] = []
        for examined in self._examine(sources, stopped):
            batch.append(examined)
            if len(batch) == MAX_BATCH:
                self._commit(batch)
                batch = []
        if batch:
            self._commit(batch)
        self._tag_updates.write()
        self._write_descriptions()
        self._write_failures(at_least=1)
        return self._missing

    def _examine(self, sources: Iterable[Source], stopped: Callable[[], bool]) -> Iterator[tuple[MusicFile, Examined]]:
        """Yields the content of each file, in order, so that two runs over the same files have the same result."""
        in_flight: deque[tuple[MusicFile, Future[Result]]] = deque()
        for source in sources:
            if stopped():
                return
            if isinstance(source, MusicFile):
                in_flight.append((source, self._examiner.submit(source)))
            elif isinstance(source, Missing):
                self._missing.append(source.path)
            elif isinstance(source, NewMetadata):
                self._describe(source.file)
            else:
                self._counts.count_skipped(source)
                self._show(self._counts)
            if len(in_flight) >= self._max_in_flight:
                yield from self._collect(*in_flight.popleft(), stopped)
        while in_flight and not stopped():
            yield from self._collect(*in_flight.popleft(), stopped)

    def _collect(
        self, file: MusicFile, future: Future[Result], stopped: Callable[[], bool]
    ) -> Iterator[tuple[MusicFile, Examined]]:
        """Waits for a file and yields its content, or records its failure."""
        if not _wait(future, stopped):
            return
        if isinstance(future.exception(), WorkerDied):
            # Its process may have been killed because of another one, by the system or by a person.
            future = self._examiner.submit(file)
            if not _wait(future, stopped):
                return
        result = _result(file, future)
        if isinstance(result, SameAudio):
            if not self._update_tags(file, result):
                file = replace(file, expected_id="")
                yield from self._collect(file, self._examiner.submit(file), stopped)
        elif isinstance(result, Failure):
            self._fail(file, result)
            self._write_failures(at_least=MAX_BATCH)
        else:
            self._counts.decoded += 1
            self._show(self._counts)
            reach(Failpoint.AFTER_DECODE)
            yield file, result

    def _update_tags(self, file: MusicFile, found: SameAudio) -> bool:
        """Updates the tags of a file's track; returns False if the catalogue lost the track."""
        is_changed = self._tag_updates.add(file, found.tags)
        if is_changed is None:
            return False
        self._tag_updates.write(at_least=MAX_BATCH)
        self._counts.count_rechecked(file, is_changed)
        self._show(self._counts)
        return True

    def _describe(self, file: PathRecord) -> None:
        self._described.append(file)
        self._write_descriptions(at_least=MAX_BATCH)
        self._counts.count_described(file)
        self._show(self._counts)

    def _write_descriptions(self, at_least: int = 1) -> None:
        """Writes the owner's metadata of unchanged files once there are so many."""
        if len(self._described) >= at_least:
            self._writer.describe(self._described)
            self._described = []

    def _fail(self, file: MusicFile, failure: Failure) -> None:
        self._counts.failures.append(failure)
        self._unwritten_failures.append(file.failure_record(failure))
        self._show(self._counts)

    def _write_failures(self, at_least: int) -> None:
        """Writes the failures to the catalogue once there are so many."""
        if len(self._unwritten_failures) >= at_least:
            self._writer.record_failures(self._unwritten_failures)
            self._unwritten_failures = []

    def _commit(self, batch: Sequence[tuple[MusicFile, Examined]]) -> None:
        predictions = self._predictor.predict([examined.windows for _, examined in batch])
        tracks = self._store.get([examined.track_id for _, examined in batch])
        additions: list[tuple[MusicFile, Addition]] = []
        for (file, examined), prediction, known in zip(batch, predictions, tracks, strict=True):
            if is_unit(prediction.embedding):
                described = replace(file, own=inherited_metadata(file, known, self._store))
                additions.append((file, build_addition(described, examined, prediction, self._predictor)))
            else:
                self._fail(file, _bad_prediction(file))
        self._writer.add([addition for _, addition in additions])
        for file, addition in additions:
            self._counts.count_indexed(file, addition.track.track_id)
        self._show(self._counts)


def _wait(future: Future[Result], stopped: Callable[[], bool]) -> bool:
    """Waits for a future; returns False if the run is stopped first."""
    # Ctrl-C must work even while a disk does not answer.
    while not wait([future], timeout=0.1).done:
        if stopped():
            return False
    return True


def _result(file: MusicFile, future: Future[Result]) -> Result:
    try:
        return future.result()
    except WorkerError as error:
        return Failure.from_error(file.path, error)


def build_addition(file: MusicFile, examined: Examined, prediction: Prediction, predictor: Predictor) -> Addition:
    """Returns the addition that writes a file's track to the catalogue."""
    track = predicted_track(
        examined.track_id,
        display_path(file.path),
        examined.seconds,
        prediction,
        examined.fingerprint,
        predictor.labels,
        predictor.tags,
    )
    record, kept = file.path_record(examined.track_id), prediction.windows
    windows = b"" if kept is None else pack_windows(WindowEmbeddings(examined.windows.starts, kept))
    return Addition(with_tags(track, examined.tags), prediction.embedding, record, windows)


def _bad_prediction(file: MusicFile) -> Failure:
    return Failure(
        display_path(file.path),
        EmbeddingUnusable.reason,
        "The model's embedding of it is not a unit vector. Leave the file out, and report the error with the file.",
    )
