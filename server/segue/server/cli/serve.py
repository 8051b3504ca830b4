"""Starts the server: ``segue-server`` without a command."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from segue.core.model.tensorflow_stderr import end_silence
from segue.core.paths import use_data_folder
from segue.core.settings.options import settings_line
from segue.core.settings.tracing import start_tracing
from segue.server.process.event_loop import new_event_loop
from segue.server.process.signals import stop_signals
from segue.server.settings import Settings

if TYPE_CHECKING:  # it imports TensorFlow
    from segue.server.components import Components
    from segue.server.observability.spans import Spans

OnReady = Callable[[str, "Components"], None]

_log = logging.getLogger(__name__)


def serve(ctx: click.Context, settings: Settings, on_ready: OnReady | None = None) -> None:
    """Logs the settings that are not the defaults, and serves until a stop signal.

    Args:
        ctx: context of the command.
        settings: settings of the server.
        on_ready: called with the address and the components once the server is ready.
    """
    for number in stop_signals():
        if number is not signal.SIGINT:
            signal.signal(number, _exit_before_serving)
    from segue.server.observability.log_setup import configure_logging  # noqa: PLC0415 - so that --help is quick

    configure_logging(settings.log_format, settings.log_level)
    _log.info("%s", settings_line(ctx))
    if not _serve_until_stopped(settings, on_ready):
        _exit_at_once()


def _serve_until_stopped(settings: Settings, on_ready: OnReady | None) -> bool:
    """Serves; returns False if a thread may still be building components at the end."""
    # Filtered searches of several callers run at once, and numpy's threads would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from segue.server import lifecycle  # noqa: PLC0415 - after the first log lines, since it takes a second
    from segue.server.assembly import read_listener_security  # noqa: PLC0415 - likewise
    from segue.server.observability.metrics import Metrics  # noqa: PLC0415 - likewise
    from segue.server.observability.metrics_server import serve_metrics  # noqa: PLC0415 - likewise

    use_data_folder(settings.data)
    metrics = Metrics(_start_spans())
    security = read_listener_security(settings, metrics)
    with serve_metrics(metrics.registry, settings.metrics_listen):
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                return runner.run(lifecycle.serve(settings, metrics, security, on_ready))
        finally:
            _ignore_stop_signals()


def _start_spans() -> Spans | None:
    provider = start_tracing("segue-server")
    if provider is None:
        return None
    from segue.server.observability.otel_spans import OtelSpans  # noqa: PLC0415 - only where traces are wanted

    return OtelSpans(provider)


def _exit_at_once() -> NoReturn:
    """Exits with 0 without waiting for the thread that still builds the components."""
    from segue.core.process_pool import remove_worker_folder  # noqa: PLC0415 - so that --help is quick

    remove_worker_folder()
    logging.shutdown()
    end_silence()
    os._exit(0)


def _exit_before_serving(_number: int, _frame: FrameType | None) -> None:
    """Exits with 0 at a stop signal before the server runs; everything that was started is stopped."""
    _ignore_stop_signals()
    sys.exit(0)


def _ignore_stop_signals() -> None:
    """Lets the program end in order if a signal comes twice: a terminal that is closed sends SIGHUP more than once."""
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)
