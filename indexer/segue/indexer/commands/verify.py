"""``segue-indexer verify``: checks that Redis, its events and the snapshots agree."""

from __future__ import annotations

from pathlib import Path

from segue.core.catalogue.finding import Finding
from segue.core.catalogue.identity import Identity
from segue.core.index.publishing import remove_snapshot
from segue.core.index.snapshot_audit import audit_snapshots
from segue.core.redis_catalogue.store import RedisStore
from segue.core.redis_catalogue.writer import RedisWriter
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.session import open_for_writing, require_identity
from segue.indexer.catalogue.verdict import Verdict
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.settings import CatalogueSettings


def verify(settings: CatalogueSettings, repair: bool, counts: RunCounts) -> Verdict:
    """Checks that all stored data of the catalogue agrees, and repairs it on request.

    Args:
        settings: location of the catalogue.
        repair: repair what can be repaired. A track that lost data is removed: to index it, add its file again.
        counts: counts to update.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer writes the catalogue.
        CatalogueMismatch: there are tracks, but no record of the model that built them.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), open_for_writing(settings) as (store, writer):
        identity, before = require_identity(store), store.revision()
        findings = remaining = _audit(settings.data, store, identity)
        if findings and repair:
            _repair(settings.data, store, writer, identity)
            finish_run(settings.data, store, writer, before, counts)
            remaining = _audit(settings.data, store, identity)
        counts.tracks = store.count()
    return Verdict(findings, remaining)


def _audit(data: Path, store: RedisStore, identity: Identity) -> list[Finding]:
    findings = [finding for part in store.audit(identity.width).parts for finding in part()]
    return [*findings, *audit_snapshots(data, store, identity)]


def _repair(data: Path, store: RedisStore, writer: RedisWriter, identity: Identity) -> None:
    # Twice: where the events were lost, the ids can only be compared with them after the first pass restored them.
    for part in store.audit(identity.width).parts * 2:
        writer.repair([finding.commands for finding in part()])
    damaged = list(audit_snapshots(data, store, identity))
    writer.check_lock()  # after the listing: a later writer's snapshots are not among them
    for finding in damaged:
        remove_snapshot(data / "snapshots" / finding.what)
