"""Checks of Redis and of the catalogue in it."""

from __future__ import annotations

from collections.abc import Iterator

from redis.exceptions import NoPermissionError

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.store import TrackStore, check_same_model
from segue.core.errors import CatalogueMismatch, SegueError, StoreUnavailable
from segue.core.model.artifact import Manifest
from segue.core.quantities import quantity
from segue.core.redis_catalogue.client import SERVER_TIMEOUTS, address_of, connect, translating_errors
from segue.core.redis_catalogue.open import open_store, risks_of
from segue.server.live_catalogue.successor import OTHER_MODEL_ADVICE
from segue.server.preflight.check_result import CheckResult
from segue.server.settings import Settings


def check_catalogue(settings: Settings, manifest: Manifest | None) -> Iterator[CheckResult]:
    """Checks that Redis answers and keeps the catalogue, and that the catalogue fits the model if it is known."""
    try:
        with open_store(settings.data, settings.redis, SERVER_TIMEOUTS) as store:
            yield CheckResult("redis", "ok", f"{store.place} answers")
            yield _check_rights(store)
            yield from _check_keeping(settings.redis)
            yield _check_model_of(store.identity(), store.count(), manifest)
    except SegueError as error:
        yield CheckResult("redis", "fail", str(error))


def _check_rights(store: TrackStore) -> CheckResult:
    """Sends each command by which the server reads the catalogue: a user of Redis may lack the right to some."""
    try:
        store.state()
        store.write_mark()
        store.track_ids("", 1)
        store.events(store.revision(), 1)
        for read in (store.get, store.facts, store.embeddings, store.files):
            read(["none"])
    except StoreUnavailable as error:
        return CheckResult("rights", "fail", str(error))
    return CheckResult("rights", "ok", "its user may read the catalogue")


def _check_keeping(url: str | None) -> Iterator[CheckResult]:
    """Checks that Redis keeps the catalogue: everything else can be rebuilt from it."""
    if url is None:
        yield CheckResult("persistence", "ok", "the private Redis writes every change to disk within a second")
        return
    with translating_errors(address_of(url)), connect(url, SERVER_TIMEOUTS) as client:
        try:
            risks = {risk.subject: risk for risk in risks_of(client)}
        except NoPermissionError as error:
            text = f"it is not known whether Redis keeps the catalogue: {error}"
            yield CheckResult("persistence", "warn", text, "Permit this command, see docs/operations.md.")
            return
    for subject, good in _GOOD.items():
        risk = risks.get(subject)
        yield (
            CheckResult(subject, "warn", f"Redis {risk.text}", risk.advice)
            if risk
            else CheckResult(subject, "ok", good)
        )


_GOOD = {
    "persistence": "Redis writes every change to disk",
    "eviction": "Redis deletes no keys",
    "role": "Redis is a primary",
}


def _check_model_of(identity: Identity | None, tracks: int, manifest: Manifest | None) -> CheckResult:
    try:
        if manifest:
            check_same_model(identity, manifest.key, advice=OTHER_MODEL_ADVICE)
    except CatalogueMismatch as error:
        return CheckResult("catalogue", "fail", str(error))
    if tracks == 0:
        advice = "Run segue-indexer add FOLDER; until then nothing can be recommended."
        return CheckResult("catalogue", "warn", "it is empty", advice)
    return CheckResult("catalogue", "ok", f"{quantity(tracks, 'track')}{' by this model' if manifest else ''}")
