"""What the server counts and times, for Prometheus; docs/metrics.md says what each figure means."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Literal, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
)

from segue.server.observability.call_record import CallRecord

Stage = Literal["decode", "features", "queue", "network", "search", "metadata"]
Dropped = Literal["expired", "cancelled", "overloaded"]
STAGES: tuple[Stage, ...] = ("decode", "features", "queue", "network", "search", "metadata")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WINDOWS = (1, 2, 5, 10, 20, 40, 80, 160)


class SearchedView(Protocol):
    """A state of the catalogue that can be counted; ``catalogue.View`` is one."""

    @property
    def revision(self) -> int:
        """The last event that it has seen."""

    @property
    def removed(self) -> Collection[str]:
        """The tracks of the snapshot that were removed or replaced since."""

    def __len__(self) -> int:
        """How many tracks can be recommended."""


class Metrics:
    """All figures of one server, in a registry of their own. Every method may be called from any thread.

    Attributes:
        registry: what ``serve_metrics`` shows.
        queue_audio_seconds: seconds of audio that wait to be heard; the engine sets it.
        queue_age_seconds: how long the one that has waited longest has waited; the engine sets it.
        batch_windows: windows in each batch that the network was given.
        redis_seconds: how long each answer of Redis took.
        certificate_expires: when the certificate ends that callers are shown, as a Unix time in seconds; 0 without.
        store_up: 1 while Redis answers, else 0; the composition root says how to ask.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("segue_server", "The version of Segue.", registry=self.registry).info({"version": version("segue")})
        self._model = Info("segue_model", "The network that answers.", registry=self.registry)
        self._make_calls()
        self._make_certificates()
        self._make_stages()
        self._make_catalogue()

    def _make_calls(self) -> None:
        self._requests = Counter("segue_requests", "Calls that have ended.", ["method", "code"], registry=self.registry)
        self._request_seconds = Histogram(
            "segue_request_seconds", "How long calls took.", ["method"], buckets=_SECONDS, registry=self.registry
        )
        self._in_flight = Gauge("segue_requests_in_flight", "Calls under way.", ["method"], registry=self.registry)
        self._failures = Counter(
            "segue_failures",
            "Calls that failed, by the reason that the caller was told.",
            ["reason"],
            registry=self.registry,
        )

    def _make_certificates(self) -> None:
        self.certificate_expires = Gauge(
            "segue_certificate_expires_seconds",
            "When the certificate ends that callers are shown, as a Unix time.",
            registry=self.registry,
        )

    def _make_stages(self) -> None:
        self.queue_audio_seconds = Gauge(
            "segue_queue_audio_seconds", "Seconds of audio that wait to be heard.", registry=self.registry
        )
        self.queue_age_seconds = Gauge(
            "segue_queue_age_seconds", "How long the oldest in the queue has waited.", registry=self.registry
        )
        self.batch_windows = Histogram(
            "segue_batch_windows", "Windows in a batch of the network.", buckets=_WINDOWS, registry=self.registry
        )
        self._stages = Histogram(
            "segue_stage_seconds", "How long each stage took.", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        for stage in STAGES:
            self._stages.labels(stage)
        self._dropped = Counter(
            "segue_dropped",
            "Work that was given up before a stage, and why.",
            ["stage", "why"],
            registry=self.registry,
        )

    def _make_catalogue(self) -> None:
        self._revision = Gauge(
            "segue_catalogue_revision", "The last event of the catalogue that is searched.", registry=self.registry
        )
        self._tracks = Gauge("segue_index_tracks", "Tracks that can be recommended.", registry=self.registry)
        self._tombstones = Gauge(
            "segue_index_tombstones", "Tracks of the snapshot that are removed or replaced.", registry=self.registry
        )
        self.store_up = Gauge("segue_store_up", "1 while Redis answers, else 0.", registry=self.registry)
        self.redis_seconds = Histogram(
            "segue_redis_seconds", "How long Redis took to answer.", buckets=_SECONDS, registry=self.registry
        )

    def call_started(self, method: str) -> None:
        """Counts a call that was taken up."""
        self._in_flight.labels(method).inc()

    def call_ended(self, call: CallRecord) -> None:
        """Counts a call that has ended."""
        self._in_flight.labels(call.method).dec()
        self._requests.labels(call.method, call.code).inc()
        self._request_seconds.labels(call.method).observe(call.seconds)
        if call.reason:
            self._failures.labels(call.reason).inc()

    @contextmanager
    def time_stage(self, stage: Stage) -> Iterator[None]:
        """Times a stage, whether or not it ends well."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.observe_stage(stage, time.perf_counter() - start)

    def observe_stage(self, stage: Stage, seconds: float) -> None:
        """Notes what a stage took where it was measured elsewhere, such as in another process."""
        self._stages.labels(stage).observe(seconds)

    def count_dropped(self, stage: Stage, why: Dropped) -> None:
        """Counts work that was given up before a stage."""
        self._dropped.labels(stage, why).inc()

    def set_model(self, model_id: str) -> None:
        """Names the network that answers."""
        self._model.info({"model_id": model_id})

    def follow_view(self, view: Callable[[], SearchedView]) -> None:
        """Tells how to ask for the state of the catalogue that is searched, which is done when figures are read."""
        self._revision.set_function(lambda: view().revision)
        self._tracks.set_function(lambda: len(view()))
        self._tombstones.set_function(lambda: len(view().removed))
