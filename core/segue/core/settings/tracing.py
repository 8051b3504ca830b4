"""Exports OpenTelemetry spans of a program where the environment names a receiver.

Without ``OTEL_EXPORTER_OTLP_ENDPOINT`` nothing is imported. OpenTelemetry itself reads all other variables of its
specification: sampling, resource attributes, headers, certificates, time limits.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

import click

from segue.core.settings.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
}


def start_tracing(service: str) -> TracerProvider | None:
    """Starts to export the spans of this process, and exports the last ones at its end.

    Args:
        service: name of the program, unless the environment has another.

    Returns:
        The source of tracers, which is also OpenTelemetry's global one; None if the environment names no receiver.

    Raises:
        click.ClickException: OpenTelemetry is not installed, or the protocol is unknown.
    """
    if not _is_wanted():
        return None
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), "grpc")
    if protocol not in _EXPORTERS:
        known = " or ".join(_EXPORTERS)
        raise click.ClickException(f"Traces cannot be exported by {protocol!r}: set {_PROTOCOLS[1]} to {known}.")
    try:
        return _start(service, _EXPORTERS[protocol])
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{_ENDPOINTS[0]} is set, but traces need {error.name}, not installed here. "
            "Run: pip install opentelemetry-exporter-otlp"
        ) from None


def _is_wanted() -> bool:
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    return exporter == "otlp" and not disabled and any(os.environ.get(name) for name in _ENDPOINTS)


def _start(service: str, exporter: str) -> TracerProvider:
    from opentelemetry import trace  # noqa: PLC0415 - only where traces are wanted
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - likewise
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - likewise
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - likewise

    own = Resource.create({"service.name": service, "service.version": VERSION})
    # The names in the environment override those of the program.
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(import_module(exporter).OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
