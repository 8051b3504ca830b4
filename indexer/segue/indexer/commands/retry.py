"""``segue-indexer retry``: hears what failed before once more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segue.core.batching import batched
from segue.core.catalogue.store import TrackStore
from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.session import open_session, rehearsing
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.examine import Failure
from segue.indexer.pipeline.pipeline import Pipeline
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.pipeline.scan import Source, find_file, stat_file
from segue.indexer.settings import Settings

_PAGE = 1_000


def failed_paths(store: TrackStore, reason: str | None) -> list[str]:
    """The files that failed, for this reason or for any if None, in the order of their paths."""
    return sorted({failure.path for failure in store.all_failures() if reason in {None, failure.reason}})


def count_failed(settings: Settings, reason: str | None) -> int:
    """How many files failed, for this reason or for any if None.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    with open_store(settings.data, settings.redis_url) as store:
        return len(failed_paths(store, reason))


def retry(
    settings: Settings,
    reason: str | None,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
) -> None:
    """Hears the files that failed before, and publishes the index if it is not the newest.

    Args:
        settings: where the catalogue is, and what hears.
        reason: only the files that failed for it, or None for all.
        counts: counts what is done; it stands also when the run fails. A failed file that is gone is forgotten.
        interrupt: ends the run early; what was heard by then is committed and published.
        show: called with the counts whenever it has changed.

    Raises:
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with counts.timed(), open_session(settings) as session:
        before, missing = session.store.revision(), list[str]()
        pipeline = Pipeline(session.workers, session.predictor, session.writer, counts, show)
        pipeline.run(_again(failed_paths(session.store, reason), session.store, missing), interrupt.requested)
        session.writer.clear_failures(missing)
        counts.forgotten = len(missing)
        finish_run(settings.data, session.store, session.writer, before, counts)


def rehearse(
    settings: Settings,
    reason: str | None,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
) -> None:
    """Counts what ``retry`` would hear; no file is opened, and nothing is written.

    Raises:
        SegueError: as ``retry`` would.
    """
    counts.dry_run = True
    with counts.timed(), rehearsing(settings) as store:
        missing = list[str]()
        for source in _again(failed_paths(store, reason), store, missing):
            if interrupt.requested():
                return
            counts.count_planned(source)
            show(counts)
        counts.forgotten, counts.tracks = len(missing), store.count()


def _again(paths: list[str], store: TrackStore, missing: list[str]) -> Iterator[Source]:
    """The files at these paths; those where there is none any more are put into ``missing``."""
    for some in batched(paths, _PAGE):
        for text, record in zip(some, store.files(some), strict=True):
            try:
                path = find_file(text)
            except OSError as error:
                yield Failure.of(Path(text), error)
                continue
            if path is None:
                missing.append(text)
            else:
                yield stat_file(path, known=record is not None)
