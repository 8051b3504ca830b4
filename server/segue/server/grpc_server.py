"""Creates the gRPC server with its interceptors and services, and opens its port."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc

from segue.core.errors import MalformedRequest
from segue.core.paths import MAX_SOCKET_PATH_BYTES
from segue.server.components import DeferredComponents, ListenerSecurity
from segue.server.inference.admission import max_clips
from segue.server.interceptors.call_observer import CallObserverInterceptor
from segue.server.interceptors.caller_identity import CallerInterceptor
from segue.server.interceptors.error_status import ErrorStatusInterceptor
from segue.server.interceptors.readiness import ReadinessInterceptor
from segue.server.interceptors.unary_read_timeout import UnaryReadInterceptor
from segue.server.observability.log_setup import CallLogger
from segue.server.observability.metrics import Metrics
from segue.server.rpc import health
from segue.server.rpc.channel_options import channel_options
from segue.server.rpc.health import Health
from segue.server.rpc.reflection import add_reflection
from segue.server.rpc.service_names import SERVICES
from segue.server.rpc.services.catalog import CatalogService
from segue.server.rpc.services.classification import ClassificationService
from segue.server.rpc.services.recommendation import RecommendationService
from segue.server.security.tls import Tls
from segue.server.settings import Settings
from segue.v1 import catalog_service_pb2_grpc, classification_service_pb2_grpc, recommendation_service_pb2_grpc

_OTHER_CALLS = 64

_log = logging.getLogger(__name__)


def create_server(
    settings: Settings, metrics: Metrics, security: ListenerSecurity, components: DeferredComponents
) -> tuple[grpc.aio.Server, Health]:
    """Creates a server with all services, and returns it with its health service."""
    clips = max_clips(settings.queue_seconds)
    server = grpc.aio.server(
        interceptors=_interceptors(metrics, security, components, clips + _OTHER_CALLS // 2),
        options=channel_options(settings.clip_mib * 2**20, settings.max_connection_age),
        # Clips are rejected with a typed error long before this limit. Above it gRPC rejects every call, even health,
        # with a bare error.
        maximum_concurrent_rpcs=clips + _OTHER_CALLS + health.MAX_WATCHERS,
    )
    return server, _add_services(server, components)


def _interceptors(
    metrics: Metrics, security: ListenerSecurity, components: DeferredComponents, max_messages: int
) -> list[grpc.aio.ServerInterceptor[Any, Any]]:
    """Returns the interceptors, the outermost first: metrics and log see every way in which a call ends."""
    return [
        CallObserverInterceptor([metrics, CallLogger()]),
        ErrorStatusInterceptor(),
        CallerInterceptor(security.tokens),
        ReadinessInterceptor(components),
        UnaryReadInterceptor(max_messages, health.SERVICE),
    ]


def _add_services(server: grpc.aio.Server, components: DeferredComponents) -> Health:
    classification, recommendation = ClassificationService(components), RecommendationService(components)
    classification_service_pb2_grpc.add_ClassificationServiceServicer_to_server(classification, server)
    recommendation_service_pb2_grpc.add_RecommendationServiceServicer_to_server(recommendation, server)
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService(components), server)
    health_service = Health(SERVICES)
    health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
    add_reflection((*SERVICES, health.SERVICE), server)
    return health_service


async def open_port(server: grpc.aio.Server, address: str, tls: Tls | None) -> str:
    """Opens the port and starts the server; returns the address with the actual port.

    Raises:
        MalformedRequest: the server cannot listen on the address.
    """
    bound = _bind(server, address, tls)
    await server.start()
    _log.info("the port %s is open", bound)
    return bound


def _bind(server: grpc.aio.Server, address: str, tls: Tls | None) -> str:
    try:
        port = server.add_secure_port(address, tls.credentials()) if tls else server.add_insecure_port(address)
    except RuntimeError as error:
        raise MalformedRequest("listen", f"Cannot listen on {address}: {_cause(address)}.") from error
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _cause(address: str) -> str:
    if not address.startswith("unix:"):
        return "another program uses the port, or the address is not one of this machine"
    path = Path(address.removeprefix("unix:"))
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        return f"the path has {len(os.fsencode(path))} bytes, and a socket's path may have {MAX_SOCKET_PATH_BYTES}"
    return f"the folder {path.parent} does not exist, or a socket cannot be created in it"
