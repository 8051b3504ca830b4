"""``segue-indexer retry``: tries the failed files again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from segue.core.batching import batched
from segue.core.catalogue.records import PathRecord
from segue.core.catalogue.store import TrackStore
from segue.core.errors import MalformedRequest
from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.removals import failed_paths
from segue.indexer.catalogue.session import open_session, require_content
from segue.indexer.commands.dry_run import Plan
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.records import REASONS, Failure, Missing, Source
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.pipeline.scan import find_file, stat_file
from segue.indexer.settings import CatalogueSettings, Settings

_PAGE = 1_000


def count_failed(settings: CatalogueSettings, reason: str | None) -> int:
    """Counts the files that failed for a reason, or for any if None.

    Raises:
        CatalogueEmpty: the catalogue is empty.
        MalformedRequest: no file can fail for this reason.
        StoreUnavailable: Redis does not answer.
    """
    with open_store(settings.data, settings.redis_url) as store:
        require_content(store)
        reasons = Counter({failure.path: failure.reason for failure in store.all_failures()}.values())
    if reason is None:
        return reasons.total()
    if reason not in {*reasons, *REASONS}:
        raise MalformedRequest("reason", _unknown_reason(reason, reasons))
    return reasons[reason]


def _unknown_reason(reason: str, reasons: Counter[str]) -> str:
    near = get_close_matches(reason.upper(), {*reasons, *REASONS}, 1)
    question = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(f"{known} ({number:,})" for known, number in reasons.most_common())
    return f"No file can fail for the reason {reason}.{question} The reasons of failed files are: {listed or 'none'}."


def plan(reason: str | None) -> Plan:
    """Returns the plan of ``retry``: the files that failed for a reason, or for any if None."""
    return Plan(partial(_sources, reason))


def _sources(reason: str | None, store: TrackStore) -> Iterator[Source]:
    for paths in batched(failed_paths(store, reason), _PAGE):
        for path, record in zip(paths, store.files(paths), strict=True):
            yield _source(path, record)


def _source(path: str, record: PathRecord | None) -> Source:
    try:
        file = find_file(path)
    except OSError as error:
        return Failure.from_error(Path(path), error)
    own = None if record is None else record.own
    return Missing(path) if file is None else stat_file(file, record is not None, own)


def retry(reason: str | None, settings: Settings, counts: RunCounts, interrupt: Interrupt, show: Show) -> None:
    """Indexes the files that failed before, and publishes the index unless the newest one is current.

    Args:
        reason: retry only files that failed for this reason, or all if None.
        settings: settings of the run.
        counts: counts to update; they are valid also when the run fails. A missing file counts as forgotten.
        interrupt: ends the run early; the batch at hand is committed and published.
        show: called with the counts after each change.

    Raises:
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with counts.timed(), open_session(settings) as session:
        before = session.store.revision()
        missing = session.index_files(plan(reason).sources(session.store), counts, interrupt, show)
        session.writer.clear_failures(missing)
        counts.forgotten = len(missing)
        finish_run(settings.data, session.store, session.writer, before, counts)
