"""From files to tracks: examine, hear, commit, as a stream in which only so many files are under way at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Protocol

from segue.core.catalogue.records import Addition, FailureRecord, Track, is_unit
from segue.core.catalogue.store import TrackWriter
from segue.core.errors import WorkerDied, WorkerError
from segue.core.failpoints import Failpoint, reach
from segue.core.features.windows import Windows
from segue.core.model.saved_model import Prediction
from segue.indexer.pipeline.examine import Examined, Failure
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.pipeline.scan import MusicFile, Source
from segue.indexer.text import display_path

# The network's largest batch; one transaction holds as many.
BATCH = 16
# Files under way: enough that a long track does not leave the other workers without work; 200 kB of windows each.
_LEAST_AHEAD, _AHEAD_FOR_EACH = 32, 2


class Examiner(Protocol):
    """Examines files somewhere else: in other processes, or on other machines."""

    @property
    def jobs(self) -> int:
        """How many files it examines at once."""
        ...

    def submit(self, path: Path) -> Future[Examined | Failure]:
        """Examines a file as soon as there is room; its future may raise a WorkerError."""
        ...


class Predictor(Protocol):
    """What hears: the loaded network."""

    @property
    def labels(self) -> Sequence[str]:
        """The genres, in the order of a posterior."""
        ...

    def predict(self, pieces: Sequence[Windows]) -> list[Prediction]:
        """What the network makes of each piece."""
        ...


class Pipeline:
    """Takes files into the catalogue, in their order, a batch to a transaction."""

    def __init__(
        self,
        examiner: Examiner,
        predictor: Predictor,
        writer: TrackWriter,
        counts: RunCounts,
        show: Show,
    ) -> None:
        """Nothing happens yet.

        Args:
            examiner: examines files.
            predictor: hears what was found in them.
            writer: takes the tracks.
            counts: counts what is done.
            show: called with the counts whenever it has changed.
        """
        self._examiner = examiner
        self._ahead = max(_LEAST_AHEAD, _AHEAD_FOR_EACH * examiner.jobs)
        self._predictor = predictor
        self._writer = writer
        self._counts = counts
        self._show = show
        self._failed: list[FailureRecord] = []

    def run(self, sources: Iterable[Source], stopped: Callable[[], bool]) -> None:
        """Takes files until there are no more, or until ``stopped``; what was heard by then is committed.

        A file that fails is written down, so that later runs need not open it again.

        Raises:
            CatalogueLocked: another writer took over.
            StoreUnavailable: the store does not answer.
        """
        batch: list[tuple[MusicFile, Examined]] = []
        for examined in self._examine(sources, stopped):
            batch.append(examined)
            if len(batch) == BATCH:
                self._commit(batch)
                batch = []
        if batch:
            self._commit(batch)
        self._keep_failures(at_least=1)

    def _examine(self, sources: Iterable[Source], stopped: Callable[[], bool]) -> Iterator[tuple[MusicFile, Examined]]:
        """What was found in each file; the order is kept, so that two runs over the same files do the same."""
        under_way: deque[tuple[MusicFile, Future[Examined | Failure]]] = deque()
        for source in sources:
            if stopped():
                return
            if isinstance(source, MusicFile):
                under_way.append((source, self._examiner.submit(source.path)))
            else:
                self._counts.count_skipped(source)
                self._show(self._counts)
            if len(under_way) >= self._ahead:
                yield from self._take(*under_way.popleft(), stopped)
        while under_way and not stopped():
            yield from self._take(*under_way.popleft(), stopped)

    def _take(
        self, file: MusicFile, future: Future[Examined | Failure], stopped: Callable[[], bool]
    ) -> Iterator[tuple[MusicFile, Examined]]:
        if not _finished(future, stopped):
            return
        if isinstance(future.exception(), WorkerDied):
            # Its process may have been killed for another's sake, by the system or by a person.
            future = self._examiner.submit(file.path)
            if not _finished(future, stopped):
                return
        examined = _outcome(file, future)
        if isinstance(examined, Failure):
            self._fail(file, examined)
            self._keep_failures(at_least=BATCH)
        else:
            self._counts.decoded += 1
            reach(Failpoint.AFTER_DECODE)
            yield file, examined

    def _fail(self, file: MusicFile, failure: Failure) -> None:
        self._counts.failures.append(failure)
        self._failed.append(file.failure(failure))
        self._show(self._counts)

    def _keep_failures(self, at_least: int) -> None:
        """Writes down the files that failed, once there are so many."""
        if len(self._failed) >= at_least:
            self._writer.note_failures(self._failed)
            self._failed = []

    def _commit(self, batch: Sequence[tuple[MusicFile, Examined]]) -> None:
        heard = self._predictor.predict([examined.windows for _, examined in batch])
        good: list[tuple[MusicFile, Addition]] = []
        for (file, examined), answer in zip(batch, heard, strict=True):
            if is_unit(answer.embedding):
                good.append((file, addition(file, examined, answer, self._predictor.labels)))
            else:
                self._fail(file, _not_understood(file))
        self._writer.add([addition for _, addition in good])
        known = sum(file.known for file, _ in good)
        self._counts.updated += known
        self._counts.added += len(good) - known
        self._show(self._counts)


def _finished(future: Future[Examined | Failure], stopped: Callable[[], bool]) -> bool:
    """Waits for an examination; returns False where the run is stopped before its end."""
    # A file on a disk that does not answer must not keep a person from stopping.
    while not wait([future], timeout=0.1).done:
        if stopped():
            return False
    return True


def _outcome(file: MusicFile, future: Future[Examined | Failure]) -> Examined | Failure:
    try:
        return future.result()
    except WorkerError as error:
        return Failure.of(file.path, error)


def addition(file: MusicFile, examined: Examined, heard: Prediction, labels: Sequence[str]) -> Addition:
    """A track as the catalogue takes it."""
    posterior = {label: float(share) for label, share in zip(labels, heard.posterior, strict=True)}
    path = display_path(file.path)
    track = Track(
        track_id=examined.track_id,
        title=examined.tags.title or Path(path).stem,
        artist=examined.tags.artist,
        album=examined.tags.album,
        genre=max(posterior, key=lambda label: posterior[label]),
        tagged_genre=examined.tags.genre,
        year=examined.tags.year,
        seconds=examined.seconds,
        path=path,
        posterior=posterior,
    )
    return Addition(track, heard.embedding, file.record(examined.track_id))


def _not_understood(file: MusicFile) -> Failure:
    return Failure(
        display_path(file.path),
        "NOT_UNDERSTOOD",
        "The model's answer is not a finite number. Leave the file out, and report it with the file.",
    )
