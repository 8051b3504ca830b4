"""Runs every pre-flight check."""

from __future__ import annotations

from collections.abc import Iterator

from segue.server.preflight.access import check_certificates, check_tokens
from segue.server.preflight.catalogue import check_catalogue
from segue.server.preflight.check_result import CheckResult
from segue.server.preflight.machine import check_decoders, check_model, check_processor, check_versions
from segue.server.preflight.ports import check_ports
from segue.server.preflight.storage import check_data_folder, check_spool, check_temporary_folder
from segue.server.preflight.trial import check_trial
from segue.server.process.system_memory import available_memory
from segue.server.settings import Settings


def run_checks(settings: Settings) -> Iterator[CheckResult]:
    """Yields the result of each check as soon as it is known, since some take seconds."""
    available = available_memory()
    yield check_versions()
    yield check_temporary_folder(settings.data, settings.clip_mib * 2**20)
    yield check_spool(settings.spool, settings.stream_mib * 2**20)
    processor = check_processor(settings.engine)
    yield processor
    result, model = check_model(settings, processor)
    yield result
    if model:
        yield from check_trial(model, settings, available)
    yield from check_data_folder(settings.data, read_only=bool(settings.redis))
    yield from check_catalogue(settings, model.manifest if model else None)
    yield from check_decoders()
    yield from check_ports(settings)
    yield from check_certificates(settings)
    yield from check_tokens(settings)
