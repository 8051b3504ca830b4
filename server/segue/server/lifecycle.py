"""Life cycle of the server: start, serve, drain and stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from segue.server.assembly import Assembly
from segue.server.components import Components, DeferredComponents, ListenerSecurity
from segue.server.grpc_server import Ports
from segue.server.live_catalogue.catalogue import POLL_SECONDS, LiveCatalogue
from segue.server.models import Models
from segue.server.observability.metrics import Metrics
from segue.server.process.memory import configure_malloc, freeze_gc
from segue.server.process.service_manager import notify_ready, notify_stopping
from segue.server.process.signals import stop_signals
from segue.server.rpc.health import Health
from segue.server.rpc.service_names import CATALOG, CLASSIFICATION, FEEDBACK, PLAYLIST, RECOMMENDATION
from segue.server.rpc.track_messages import encode_track
from segue.server.settings import Settings

# Time in which cancelled calls must end.
_CANCELLATION_SECONDS = 1.0

_log = logging.getLogger(__name__)


async def serve(
    settings: Settings,
    metrics: Metrics,
    security: ListenerSecurity,
    on_ready: Callable[[str, Components], None] | None = None,
) -> bool:
    """Opens the port, builds the components, serves until SIGTERM, SIGINT or SIGHUP, and stops in order.

    With ``listen_when_ready`` the port opens after the components are built.

    Args:
        settings: settings of the server.
        metrics: metrics of all components and calls.
        security: certificates and tokens of the port.
        on_ready: called with the address and the components once the server is ready.

    Returns:
        True if the server was ready before the signal, and no other model was loading. If not, a thread may still be
        building, and cannot be stopped.

    Raises:
        MalformedRequest: the server cannot listen on the address.
        ArtifactError: the model cannot be used.
    """
    configure_malloc()
    deferred = DeferredComponents()
    ports = Ports(settings, metrics, security, deferred)
    stop = _stop_event()
    models = Models(lambda: Assembly(settings, metrics, encode_track), deferred)
    try:
        await ports.open_health()
        address = None if settings.listen_when_ready else await ports.open()
        components = await _build(models, stop)
        if components:
            freeze_gc()
            background = _begin_serving(models, deferred, ports.health)
            address = address or await ports.open()
            tracks = len(components.catalogue.view)
            _log.info("listening on %s with %s and %d tracks", address, components.model_id, tracks)
            notify_ready()
            if on_ready:
                on_ready(address, components)
            await stop.wait()
            notify_stopping()
            _log.info("stopping after the calls in progress")
            for task in background:
                task.cancel()
            ports.health.stop_serving()
            await asyncio.sleep(settings.drain)
        else:
            models.abandon()
    finally:
        await ports.stop()
        await _wait_for_cancelled_calls()
        models.close()
    _log.info("stopped")
    return components is not None and not models.was_abandoned


async def _build(models: Models, stop: asyncio.Event) -> Components | None:
    """Builds the components, or returns None at a stop signal, when a thread may still be building."""
    building = asyncio.ensure_future(models.build())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([building, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    return await building if building.done() and not stop.is_set() else None


def _begin_serving(models: Models, deferred: DeferredComponents, health: Health) -> list[asyncio.Task[None]]:
    """Makes the health that of the catalogue; returns the tasks that keep it and the model up to date."""
    health.set_source(lambda: _read_serving(deferred.get().catalogue))
    return [asyncio.create_task(_update_health(health)), asyncio.create_task(models.follow_catalogue())]


def _read_serving(catalogue: LiveCatalogue) -> dict[str, bool]:
    """Returns True for each service that serves; the server as a whole, "", serves as long as it runs."""
    recommending = dict.fromkeys((RECOMMENDATION, PLAYLIST), catalogue.can_recommend)
    reading = dict.fromkeys((CATALOG, FEEDBACK), not catalogue.stale)
    return {"": True, CLASSIFICATION: True, **recommending, **reading}


async def _update_health(health: Health) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        health.refresh_status()


async def _wait_for_cancelled_calls() -> None:
    """Waits for the calls that exceeded the grace period: gRPC prints a traceback for each that never ends."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=_CANCELLATION_SECONDS)


def _stop_event() -> asyncio.Event:
    """Returns an event that is set at a stop signal."""
    stop = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
