"""From loaded parts to a port that answers, and back: health, signals, an orderly end."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc

from segue.core.errors import MalformedRequest
from segue.server.assembly import Assembly
from segue.server.components import Components, DeferredComponents, ListenerSecurity
from segue.server.inference.admission import max_clips
from segue.server.interceptors.authentication import AuthenticationInterceptor
from segue.server.interceptors.call_observer import CallObserverInterceptor
from segue.server.interceptors.error_status import ErrorStatusInterceptor
from segue.server.interceptors.readiness import ReadinessInterceptor
from segue.server.interceptors.unary_read_timeout import UnaryReadInterceptor
from segue.server.live_catalogue.catalogue import POLL_SECONDS, LiveCatalogue
from segue.server.observability.log_setup import CallLogger
from segue.server.observability.metrics import Metrics
from segue.server.process.memory import configure_malloc, freeze_gc
from segue.server.process.signals import stop_signals
from segue.server.rpc import health
from segue.server.rpc.channel_options import channel_options
from segue.server.rpc.health import Health
from segue.server.rpc.reflection import add_reflection
from segue.server.rpc.service_names import CATALOG, CLASSIFICATION, RECOMMENDATION, SERVICES
from segue.server.rpc.servicers import CatalogService, ClassificationService, RecommendationService
from segue.server.security.tls import Tls
from segue.server.settings import Settings
from segue.v1 import catalog_service_pb2_grpc, classification_service_pb2_grpc, recommendation_service_pb2_grpc

_OTHER_CALLS = 64
# What a call that is cancelled may take to notice.
_SECONDS_TO_END = 1.0

_log = logging.getLogger(__name__)


async def serve(settings: Settings, metrics: Metrics, security: ListenerSecurity) -> bool:
    """Opens the port, loads, answers calls until SIGTERM, SIGINT or SIGHUP, and ends in good order.

    A port that is to open when everything is loaded opens then.

    Args:
        settings: what the parts are to be made of.
        metrics: where everything is counted.
        security: what guards the port.

    Returns:
        Whether it came to answer calls. If not, a thread may still be loading, which nobody can stop.

    Raises:
        MalformedRequest: the address cannot be listened on.
        ArtifactError: the model cannot be used.
        CatalogueMismatch: the catalogue was made by another model or front end.
    """
    configure_malloc()
    most_pieces = max_clips(settings.queue_seconds)
    components = DeferredComponents()
    server = grpc.aio.server(
        interceptors=_interceptors(metrics, security, components, most_pieces + _OTHER_CALLS // 2),
        options=channel_options(settings.max_connection_age),
        # Far from it, what brings music is refused in words; beyond it gRPC refuses all, the health too, with none.
        maximum_concurrent_rpcs=most_pieces + _OTHER_CALLS + health.MAX_WATCHERS,
    )
    checks = _add_services(server, components)
    stop = _stop_signal()
    assembly = Assembly(settings, metrics)
    try:
        bound = None if settings.listen_when_ready else await _open(server, settings.listen, security.tls)
        if parts := await _built(assembly, stop):
            freeze_gc()
            watch = _begin(parts, components, checks)
            bound = bound or await _open(server, settings.listen, security.tls)
            _log.info("listening on %s with %s and %d tracks", bound, parts.model_id, len(parts.catalogue.view))
            await stop.wait()
            _log.info("stopping; calls under way are finished")
            watch.cancel()
            checks.stop()
            await asyncio.sleep(settings.drain)
        else:
            assembly.abandon()
    finally:
        checks.end()
        await server.stop(settings.grace)
        await _others_end()
        assembly.close()
    _log.info("stopped")
    return parts is not None


async def _others_end() -> None:
    """Lets the calls that outlasted the grace come to their ends: gRPC prints a traceback of each that never does."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=_SECONDS_TO_END)


async def _built(assembly: Assembly, stop: asyncio.Event) -> Components | None:
    """The parts, or None where it is told to stop before they are there; a thread may still be loading then."""
    # Not in a thread of the loop's own, for the end of which it would wait.
    loop = asyncio.get_running_loop()
    building: asyncio.Future[Any] = loop.run_in_executor(ThreadPoolExecutor(1, "build"), assembly.build)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([building, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    return await building if building.done() and not stop.is_set() else None


def _interceptors(
    metrics: Metrics, security: ListenerSecurity, components: DeferredComponents, most_coming: int
) -> list[grpc.aio.ServerInterceptor[Any, Any]]:
    """The outermost first: what counts sees how every other one ends a call."""
    access = [AuthenticationInterceptor(security.tokens)] if security.tokens else []
    return [
        CallObserverInterceptor([metrics, CallLogger()]),
        ErrorStatusInterceptor(),
        *access,
        ReadinessInterceptor(components),
        UnaryReadInterceptor(most_coming, health.SERVICE),
    ]


def _add_services(server: grpc.aio.Server, components: DeferredComponents) -> Health:
    """Adds every service, and returns the one that reports the health of the others."""
    classification_service_pb2_grpc.add_ClassificationServiceServicer_to_server(
        ClassificationService(components), server
    )
    recommendation_service_pb2_grpc.add_RecommendationServiceServicer_to_server(
        RecommendationService(components), server
    )
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService(components), server)
    checks = Health(SERVICES)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    add_reflection((*SERVICES, health.SERVICE), server)
    return checks


def _begin(parts: Components, components: DeferredComponents, checks: Health) -> asyncio.Task[None]:
    """Answers calls by these parts; the task keeps looking whether they are well."""
    components.value = parts
    checks.follow(lambda: _serving(parts.catalogue))
    return asyncio.create_task(_keep_looking(checks))


async def _open(server: grpc.aio.Server, address: str, tls: Tls | None) -> str:
    """Opens the port and answers the address with the port that it really is."""
    bound = _bind(server, address, tls)
    await server.start()
    _log.info("the port %s is open", bound)
    return bound


def _bind(server: grpc.aio.Server, address: str, tls: Tls | None) -> str:
    try:
        port = server.add_secure_port(address, tls.credentials()) if tls else server.add_insecure_port(address)
    except RuntimeError as error:
        raise MalformedRequest(
            "listen", f"Cannot listen on {address}: the port is taken, or the address is not one of this machine's."
        ) from error
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _serving(catalogue: LiveCatalogue) -> dict[str, bool]:
    """Without the store only Classify works for sure; the server as a whole ("") is well as long as it runs."""
    return {"": True, CLASSIFICATION: True, RECOMMENDATION: catalogue.can_recommend, CATALOG: not catalogue.stale}


async def _keep_looking(checks: Health) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        checks.refresh_status()
