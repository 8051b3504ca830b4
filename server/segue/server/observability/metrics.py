"""Prometheus metrics of the server; docs/metrics.md explains each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from segue.core.settings.version import VERSION
from segue.server.observability.call_record import CallRecord
from segue.server.observability.drift import Drift
from segue.server.observability.recall import Recall
from segue.server.observability.spans import Spans

Stage = Literal["decode", "features", "queue", "network", "search", "metadata"]
DropCause = Literal["expired", "cancelled", "overloaded"]
STAGES: tuple[Stage, ...] = ("decode", "features", "queue", "network", "search", "metadata")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WINDOWS = (1, 2, 5, 10, 20, 40, 80, 160)


class SearchedView(Protocol):
    """The figures of a search view; ``live_catalogue.view.View`` has them."""

    @property
    def revision(self) -> int:
        """The last catalogue event in the view."""

    @property
    def removed(self) -> Collection[str]:
        """The tracks of the snapshot that were removed or replaced later."""

    def __len__(self) -> int:
        """Returns the number of tracks that can be recommended."""


class Metrics:
    """The metrics of one server, in a registry of their own. Every method is thread-safe.

    Attributes:
        registry: the registry of all metrics.
        drift: figures of the music and of the results.
        recall: the share of the nearest tracks that the index finds.
        spans: spans of the calls and their stages, or None if traces are not exported.
        queue_audio_seconds: seconds of audio in the queue; the engine sets it.
        queue_age_seconds: seconds that the oldest clip in the queue has waited; the engine sets it.
        connections: connections of the port; the composition root sets its source.
        messages_arriving: messages that are arriving, and open streams; the server sets it.
        spool_bytes: disk space of the clips of streams; the composition root sets its source.
        batch_windows: number of windows in each batch of the model.
        redis_seconds: response times of Redis in seconds.
        certificate_expires: end of the certificate that clients see, as a Unix time in seconds; 0 without one.
        damaged_records: number of damaged records that are left out; the composition root sets its source.
        metadata_bytes: memory of the metadata of tracks; the composition root sets its source.
        store_up: 1 while Redis answers, else 0; the composition root sets its source.
    """

    def __init__(self, spans: Spans | None = None) -> None:
        self.registry = CollectorRegistry()
        self.spans = spans
        self.drift = Drift(self.registry)
        self.recall = Recall(self.registry)
        ProcessCollector(registry=self.registry)
        Info("segue_server", "Version of Segue.", registry=self.registry).info({"version": VERSION})
        self._model = Info("segue_model", "Model that serves.", registry=self.registry)
        self._create_call_metrics()
        self._create_stage_metrics()
        self._create_quota_metrics()
        self._create_catalogue_metrics()
        self._feedback = Counter(
            "segue_feedback", "Actions of users, by kind and outcome.", ["kind", "outcome"], registry=self.registry
        )
        self.certificate_expires = Gauge(
            "segue_certificate_expires_seconds",
            "End of the certificate that clients see, as a Unix time.",
            registry=self.registry,
        )

    def _create_call_metrics(self) -> None:
        self._requests = Counter("segue_requests", "Calls that have ended.", ["method", "code"], registry=self.registry)
        self._request_seconds = Histogram(
            "segue_request_seconds", "Duration of calls.", ["method"], buckets=_SECONDS, registry=self.registry
        )
        self._in_flight = Gauge("segue_requests_in_flight", "Calls in progress.", ["method"], registry=self.registry)
        self._failures = Counter(
            "segue_failures", "Failed calls, by the reason of their ErrorInfo.", ["reason"], registry=self.registry
        )

    def _create_stage_metrics(self) -> None:
        self.queue_audio_seconds = Gauge(
            "segue_queue_audio_seconds", "Seconds of audio in the queue.", registry=self.registry
        )
        self.spool_bytes = Gauge(
            "segue_spool_bytes", "Disk space of the clips of streams while they arrive.", registry=self.registry
        )
        self.connections = Gauge("segue_connections", "Connections of the port.", registry=self.registry)
        self.messages_arriving = Gauge(
            "segue_messages_arriving", "Messages that are arriving, and open streams.", registry=self.registry
        )
        self.queue_age_seconds = Gauge(
            "segue_queue_age_seconds", "Waiting time of the oldest clip in the queue.", registry=self.registry
        )
        self.batch_windows = Histogram(
            "segue_batch_windows", "Windows in a batch of the model.", buckets=_WINDOWS, registry=self.registry
        )
        self._stages = Histogram(
            "segue_stage_seconds", "Duration of each stage.", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        for stage in STAGES:
            self._stages.labels(stage)
        self._dropped = Counter(
            "segue_dropped", "Work dropped before a stage, by cause.", ["stage", "cause"], registry=self.registry
        )

    def _create_quota_metrics(self) -> None:
        self._quota_exceeded = Counter(
            "segue_quota_exceeded", "Calls and clips above a quota.", ["token", "quota"], registry=self.registry
        )
        self._quota_audio = Counter(
            "segue_quota_audio_seconds",
            "Audio that counts towards quotas.",
            ["token"],
            registry=self.registry,
        )

    def _create_catalogue_metrics(self) -> None:
        self._revision = Gauge(
            "segue_catalogue_revision", "Last event of the catalogue in the search view.", registry=self.registry
        )
        self._tracks = Gauge("segue_index_tracks", "Tracks that can be recommended.", registry=self.registry)
        self._tombstones = Gauge(
            "segue_index_tombstones", "Removed or replaced tracks of the snapshot.", registry=self.registry
        )
        self.metadata_bytes = Gauge("segue_metadata_bytes", "Memory of the metadata of tracks.", registry=self.registry)
        self.store_up = Gauge("segue_store_up", "1 while Redis answers, else 0.", registry=self.registry)
        self.catalogue_damaged = Gauge(
            "segue_catalogue_damaged", "1 if Redis has lost keys that nothing removed, else 0.", registry=self.registry
        )
        self.damaged_records = Gauge(
            "segue_damaged_records", "Records of the catalogue that are damaged and left out.", registry=self.registry
        )
        self.redis_seconds = Histogram(
            "segue_redis_seconds", "Response times of Redis.", buckets=_SECONDS, registry=self.registry
        )

    def call_started(self, method: str) -> None:
        """Counts a call that has started."""
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
        """Times a stage, even if it raises, and adds its span to the current call."""
        begun = time.monotonic()
        try:
            with self.trace_failure(stage):
                yield
                self._trace(stage, begun, time.monotonic())
        finally:
            self._stages.labels(stage).observe(time.monotonic() - begun)

    @contextmanager
    def trace_failure(self, stage: Stage) -> Iterator[None]:
        """Adds the span of a stage to the current call if it raises."""
        begun = time.monotonic()
        try:
            yield
        except Exception as error:
            self._trace(stage, begun, time.monotonic(), type(error).__name__)
            raise

    def observe_stage(self, stage: Stage, begun: float, ended: float, calls: Sequence[Context] | None = None) -> None:
        """Records a stage that was measured elsewhere, for example in a worker process.

        Args:
            stage: the stage.
            begun: its start, on the clock of ``time.monotonic``.
            ended: its end, on the same clock.
            calls: contexts of the calls that it was for; None for the running call.
        """
        self._stages.labels(stage).observe(ended - begun)
        if calls is None:
            self._trace(stage, begun, ended)
        for call in calls or ():
            call.run(self._trace, stage, begun, ended)

    def _trace(self, stage: Stage, begun: float, ended: float, error: str = "") -> None:
        if self.spans:
            self.spans.add_stage(stage, begun, ended, error)

    def count_dropped(self, stage: Stage, cause: DropCause) -> None:
        """Counts work that was dropped before a stage."""
        self._dropped.labels(stage, cause).inc()

    def count_quota_exceeded(self, token: str, quota: str) -> None:
        """Counts a call or a clip that exceeded a quota of a token."""
        self._quota_exceeded.labels(token, quota).inc()

    def count_quota_audio(self, token: str, seconds: float) -> None:
        """Counts seconds of audio towards the quota of a token."""
        self._quota_audio.labels(token).inc(seconds)

    def count_feedback(self, kind: str, *, recorded: bool) -> None:
        """Counts an action of a user, which was recorded, or was a repetition."""
        self._feedback.labels(kind, "recorded" if recorded else "repeated").inc()

    def set_model(self, model_id: str) -> None:
        """Sets the id of the model that serves."""
        self._model.info({"model_id": model_id})

    def follow_view(self, view: Callable[[], SearchedView]) -> None:
        """Reads the figures of the search view from ``view()`` at every scrape."""
        self._revision.set_function(lambda: view().revision)
        self._tracks.set_function(lambda: len(view()))
        self._tombstones.set_function(lambda: len(view().removed))
