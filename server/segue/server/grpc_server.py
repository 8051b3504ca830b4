"""Creates the gRPC server with its interceptors and services, and opens its port."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2_grpc

from segue.core.errors import MalformedRequest
from segue.core.paths import MAX_SOCKET_PATH_BYTES
from segue.server.callers.receive_budget import ReceiveBudget
from segue.server.components import DeferredComponents, ListenerSecurity
from segue.server.inference.admission import max_clips
from segue.server.interceptors.call_observer import CallObserverInterceptor
from segue.server.interceptors.caller_identity import CallerInterceptor
from segue.server.interceptors.error_status import ErrorStatusInterceptor
from segue.server.interceptors.readiness import ReadinessInterceptor
from segue.server.interceptors.receiving import MESSAGE_SECONDS, Reading, ReceivingInterceptor
from segue.server.observability.connections import ConnectionCount
from segue.server.observability.log_setup import CallLogger
from segue.server.observability.metrics import Metrics
from segue.server.process.system_memory import total_memory
from segue.server.rpc import health
from segue.server.rpc.channel_options import HEALTH_OPTIONS, MAX_CONNECTIONS, channel_options, max_message_bytes
from segue.server.rpc.handlers import HandlerInterceptor, JoinedInterceptors
from segue.server.rpc.health import Health
from segue.server.rpc.reflection import add_reflection
from segue.server.rpc.service_names import SERVICES
from segue.server.rpc.services.catalog import CatalogService
from segue.server.rpc.services.classification import ClassificationService
from segue.server.rpc.services.feedback import FeedbackService
from segue.server.rpc.services.playlists import PlaylistService
from segue.server.rpc.services.recommendation import RecommendationService
from segue.server.security.tls import Tls
from segue.server.settings import Settings
from segue.v1 import (
    catalog_service_pb2_grpc,
    classification_service_pb2_grpc,
    feedback_service_pb2_grpc,
    recommendation_service_pb2_grpc,
)

_OTHER_CALLS = 64
# The share of the machine's memory for messages that are arriving.
_MEMORY_SHARE = 1 / 8
_MIN_MESSAGES = 4

_log = logging.getLogger(__name__)


class Ports:
    """The port of all services, and the one of health alone if the settings name it.

    Attributes:
        health: the health service of both.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, security: ListenerSecurity, components: DeferredComponents
    ) -> None:
        """Opens nothing yet.

        Args:
            settings: settings of the server.
            metrics: metrics of calls, messages and connections.
            security: certificates and tokens.
            components: what the services use, once it is built.
        """
        self._settings, self._tls = settings, security.tls
        self.health = Health(SERVICES)
        self._server = _create_server(settings, metrics, security, components)
        _add_services(self._server, self.health, metrics)
        self._health_server = _create_health_server(self.health)
        self._connections = ConnectionCount()
        metrics.connections.set_function(self._connections.total)
        self._watch: asyncio.Task[None] | None = None

    async def open_health(self) -> None:
        """Opens the port of health alone, if the settings name it; see ``open``."""
        if self._settings.health_listen:
            await _open(self._health_server, self._settings.health_listen, self._tls)

    async def open(self) -> str:
        """Opens the port of all services; returns the address with the actual port.

        Raises:
            MalformedRequest: the server cannot listen on the address.
        """
        address = await _open(self._server, self._settings.listen, self._tls)
        self._connections.follow(address)
        self._watch = asyncio.create_task(self._connections.warn_repeatedly(MAX_CONNECTIONS))
        return address

    async def stop(self) -> None:
        """Ends the watches of health, waits for the calls in progress up to the grace period, and closes the ports."""
        self.health.end_watches()
        await self._server.stop(self._settings.grace)
        await self._health_server.stop(None)
        if self._watch:
            self._watch.cancel()


def _create_server(
    settings: Settings, metrics: Metrics, security: ListenerSecurity, components: DeferredComponents
) -> grpc.aio.Server:
    clips = max_clips(settings.queue_seconds)
    budget = ReceiveBudget(_max_messages(settings))
    metrics.messages_arriving.set_function(lambda: budget.arriving)
    return grpc.aio.server(
        interceptors=[_interceptors(metrics, security, components, budget)],
        options=channel_options(settings.clip_mib * 2**20, settings.max_connection_age),
        # Clips are rejected with a typed error long before this limit. Above it gRPC rejects every call, even health,
        # with a bare error.
        maximum_concurrent_rpcs=clips + _OTHER_CALLS + health.MAX_WATCHERS,
    )


def _max_messages(settings: Settings) -> int:
    """Returns the largest number of messages that may arrive at once, each of the largest size."""
    budget = settings.receive_mib * 2**20 if settings.receive_mib else (total_memory() or 0) * _MEMORY_SHARE
    return max(_MIN_MESSAGES, int(budget / max_message_bytes(settings.clip_mib * 2**20)))


def _interceptors(
    metrics: Metrics, security: ListenerSecurity, components: DeferredComponents, budget: ReceiveBudget
) -> HandlerInterceptor:
    """Returns the interceptors, the outermost first: metrics and log see every way in which a call ends."""
    return JoinedInterceptors(
        CallObserverInterceptor([metrics, CallLogger()], metrics.spans),
        ErrorStatusInterceptor(),
        CallerInterceptor(security.tokens),
        ReadinessInterceptor(components),
        ReceivingInterceptor(Reading(budget, MESSAGE_SECONDS)),
    )


def _add_services(server: grpc.aio.Server, health_service: Health, metrics: Metrics) -> None:
    classification, recommendation = ClassificationService(), RecommendationService()
    classification_service_pb2_grpc.add_ClassificationServiceServicer_to_server(classification, server)
    recommendation_service_pb2_grpc.add_RecommendationServiceServicer_to_server(recommendation, server)
    recommendation_service_pb2_grpc.add_PlaylistServiceServicer_to_server(PlaylistService(), server)
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService(), server)
    feedback_service_pb2_grpc.add_FeedbackServiceServicer_to_server(FeedbackService(metrics), server)
    health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
    add_reflection((*SERVICES, health.SERVICE), server)


def _create_health_server(service: Health) -> grpc.aio.Server:
    """Creates a server for health checks alone, which has its own limits on connections and messages."""
    server = grpc.aio.server(options=HEALTH_OPTIONS, maximum_concurrent_rpcs=health.MAX_WATCHERS)
    health_pb2_grpc.add_HealthServicer_to_server(service, server)
    return server


async def _open(server: grpc.aio.Server, address: str, tls: Tls | None) -> str:
    """Opens a port and starts its server; returns the address with the actual port."""
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
