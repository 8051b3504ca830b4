"""``segue-indexer verify``: whether Redis, its events and the snapshots agree."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from segue.core.catalogue.finding import Finding
from segue.core.catalogue.records import Identity
from segue.core.index.snapshot import remove
from segue.core.index.snapshot_audit import audit_snapshots
from segue.core.redis_catalogue.store import RedisStore
from segue.core.redis_catalogue.writer import RedisWriter
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.session import open_for_writing
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.text import escape_control_characters

# More would push the verdict off any screen; --json names all of them.
_MOST = 50


class Verdict:
    """What did not agree.

    Attributes:
        findings: all that did not when it was looked for.
        left: what of it does not agree still.
    """

    def __init__(self, findings: list[Finding], left: list[Finding]) -> None:
        self.findings = findings
        self.left = left


def verify(data: Path, redis_url: str | None, repair: bool, counts: RunCounts) -> Verdict:
    """Looks whether everything that is known of the catalogue agrees.

    Args:
        data: the folder where Segue keeps its state.
        redis_url: the Redis that holds the catalogue, or None for the private one in ``data``.
        repair: mend what can be mended. A track of which something was lost is removed: its file is heard again when it
            is added again.
        counts: gets the tracks that there are, and those that were removed.

    Returns:
        What did not agree, and what is left of it.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer is at work.
        CatalogueMismatch: there are tracks, and it is lost what made them.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), open_for_writing(data, redis_url) as (store, writer):
        identity, before = store.identity(), store.revision()
        assert identity is not None  # noqa: S101 - the writer made sure of it
        findings = left = _look(data, store, identity)
        if findings and repair:
            _mend(data, store, writer, identity)
            finish_run(data, store, writer, before, counts)
            left = _look(data, store, identity)
        counts.tracks = store.count()
    return Verdict(findings, left)


def _look(data: Path, store: RedisStore, identity: Identity) -> list[Finding]:
    found = [finding for part in store.audit(identity.width).parts for finding in part()]
    return [*found, *audit_snapshots(data, store, identity)]


def _mend(data: Path, store: RedisStore, writer: RedisWriter, identity: Identity) -> None:
    # Once more: without the events there is nothing to compare the ids with before these were begun anew.
    for part in store.audit(identity.width).parts * 2:
        writer.mend([finding.commands for finding in part()])
    for finding in audit_snapshots(data, store, identity):
        remove(data / "snapshots" / finding.what)


def print_verdict(verdict: Verdict, counts: RunCounts, as_json: bool) -> None:
    """Says what did not agree: one document on stdout, or the verdict there and each finding on stderr."""
    if as_json:
        problems = [
            {"what": finding.what, "problem": finding.problem, "mended": finding not in verdict.left}
            for finding in verdict.findings
        ]
        print(json.dumps({**counts.to_dict(), "problems": problems}, indent=2))  # noqa: T201 - this is the output
        return
    for finding in verdict.findings[:_MOST]:
        line = escape_control_characters(f"wrong: {finding.what}: {finding.problem}")
        print(line, file=sys.stderr)  # noqa: T201 - likewise
    if len(verdict.findings) > _MOST:
        print(f"... and {len(verdict.findings) - _MOST} more; --json names them all.", file=sys.stderr)  # noqa: T201 - likewise
    print(_sentence(verdict, counts))  # noqa: T201 - likewise


def _sentence(verdict: Verdict, counts: RunCounts) -> str:
    catalogue = f"the catalogue has {counts.tracks} tracks"
    if not verdict.findings:
        return f"Everything agrees: {catalogue}. Looked through in {counts.seconds:.1f} s."
    found = f"{len(verdict.findings)} things did not agree"
    if not verdict.left:
        return (
            f"{found}, and were mended: {catalogue}, {counts.removed} were removed. Add the music again to hear them."
        )
    return f"{found}, {len(verdict.left)} still do not. Run segue-indexer verify --repair."
