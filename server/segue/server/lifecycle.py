"""From loaded parts to a port that answers, and back: health, signals, an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from segue.core.errors import MalformedRequest, StoreUnavailable
from segue.server.bootstrap import Parts
from segue.server.calls import CallInterceptor
from segue.server.catalogue import POLL_SECONDS
from segue.server.services import CatalogService, ClassificationService, RecommendationService
from segue.server.status import StatusInterceptor
from segue.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    classification_service_pb2,
    classification_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)

# Above 16 MiB of audio a handler answers with a typed error; above this gRPC itself answers, with a bare one.
MAX_MESSAGE_BYTES = 32 * 2**20

CLASSIFICATION = classification_service_pb2.DESCRIPTOR.services_by_name["ClassificationService"].full_name
RECOMMENDATION = recommendation_service_pb2.DESCRIPTOR.services_by_name["RecommendationService"].full_name
CATALOG = catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name
SERVICES = (CLASSIFICATION, RECOMMENDATION, CATALOG)

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two servers on one port would share its calls without a word; the second must hear that the port is taken.
    ("grpc.so_reuseport", 0),
]

_OTHER_CALLS = 64

_log = logging.getLogger(__name__)


async def serve(parts: Parts, address: str, grace: float) -> None:
    """Answers calls until SIGTERM or SIGINT.

    Args:
        parts: what ``bootstrap.assemble`` built.
        address: HOST:PORT, or unix:PATH; port 0 is any free one.
        grace: how many seconds calls under way may take to finish after the signal.

    Raises:
        MalformedRequest: the address cannot be listened on.
    """
    server = grpc.aio.server(
        interceptors=[CallInterceptor([parts.metrics]), StatusInterceptor()],
        options=_OPTIONS,
        # Each may hold 32 MiB before a handler counts it; the rest is for health and what only reads.
        maximum_concurrent_rpcs=parts.most_waiting + _OTHER_CALLS,
    )
    checks = _add_services(server, parts)
    bound = _bind(server, address)
    await _tell_health(checks, parts)
    await server.start()
    stop = _stop_signal()
    follow = asyncio.create_task(_keep_telling_health(checks, parts))
    _log.info("listening on %s with %s and %d tracks", bound, parts.model_id, len(parts.catalogue.view))
    await stop.wait()
    _log.info("stopping; calls under way have %g s", grace)
    follow.cancel()
    await checks.enter_graceful_shutdown()
    await server.stop(grace)
    _log.info("stopped")


def _add_services(server: grpc.aio.Server, parts: Parts) -> health.aio.HealthServicer:
    classification_service_pb2_grpc.add_ClassificationServiceServicer_to_server(ClassificationService(parts), server)
    recommendation_service_pb2_grpc.add_RecommendationServiceServicer_to_server(RecommendationService(parts), server)
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService(parts), server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return checks


def _bind(server: grpc.aio.Server, address: str) -> str:
    """Opens the port and answers the address with the port that it really is."""
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise MalformedRequest(
            "listen", f"Cannot listen on {address}: the port is taken, or the address is not one of this machine's."
        ) from error
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _tell_health(checks: health.aio.HealthServicer, parts: Parts) -> None:
    """Without the store only Classify works; the server as a whole ("") is well as long as it runs."""
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    lost = isinstance(parts.catalogue.problem, StoreUnavailable)
    for service in ("", CLASSIFICATION):
        await checks.set(service, serving)
    for service in (RECOMMENDATION, CATALOG):
        await checks.set(service, not_serving if lost else serving)


async def _keep_telling_health(checks: health.aio.HealthServicer, parts: Parts) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        await _tell_health(checks, parts)
