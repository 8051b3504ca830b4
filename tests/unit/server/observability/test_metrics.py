from __future__ import annotations

import re
from pathlib import Path

import pytest

from segue.core.selection.view import View
from segue.server.observability.call_record import CallRecord
from segue.server.observability.metrics import STAGES, Metrics

DOCUMENT = Path(__file__).parents[4] / "docs" / "metrics.md"
STATUS = "/segue.v1.CatalogService/GetStatus"
FAILED = CallRecord(STATUS, "UNAVAILABLE", "STORE_UNAVAILABLE", 0.2, "id")


def test_a_call_is_counted() -> None:
    """A call is in flight until it ends, and is then counted by method, code and reason."""
    metrics = Metrics()
    metrics.call_started(STATUS)
    assert 1 == value(metrics, "segue_requests_in_flight", method=STATUS)
    metrics.call_ended(FAILED)
    assert 0 == value(metrics, "segue_requests_in_flight", method=STATUS)
    assert 1 == value(metrics, "segue_requests_total", method=STATUS, code="UNAVAILABLE")
    assert 1 == value(metrics, "segue_failures_total", reason="STORE_UNAVAILABLE")
    assert 0.2 == value(metrics, "segue_request_seconds_sum", method=STATUS)


def test_failed_stages_are_timed() -> None:
    """A stage is timed even if it raises, and a stage that was never reached shows 0."""
    metrics = Metrics()
    with pytest.raises(ZeroDivisionError), metrics.time_stage("decode"):
        _ = 1 / 0
    metrics.observe_stage("decode", 1.0, 3.0)
    counts = {stage: value(metrics, "segue_stage_seconds_count", stage=stage) for stage in STAGES}
    assert dict.fromkeys(STAGES, 0.0) | {"decode": 2.0} == counts


def test_dropped_work() -> None:
    """Dropped work is counted by stage and by cause."""
    metrics = Metrics()
    metrics.count_dropped("network", "expired")
    assert 1 == value(metrics, "segue_dropped_total", stage="network", cause="expired")


def test_the_view_is_read_at_every_scrape() -> None:
    """Revision, size and tombstones are those of the current view."""
    metrics = Metrics()
    views = [View(revision=7, removed=frozenset())]
    metrics.follow_view(lambda: views[-1])
    assert 7 == value(metrics, "segue_catalogue_revision")
    views.append(View(revision=9))
    assert (9, 0, 0) == tuple(
        value(metrics, f"segue_{name}") for name in ("catalogue_revision", "index_tracks", "index_tombstones")
    )


def test_every_metric_is_documented() -> None:
    """docs/metrics.md has a row for each metric with all its labels, and no other row."""
    metrics = Metrics()
    metrics.set_model("tiny-1")
    metrics.call_started(STATUS)
    metrics.call_ended(FAILED)
    metrics.count_dropped("network", "expired")
    metrics.count_quota_exceeded("player", "rate")
    metrics.count_quota_audio("player", 30)
    metrics.count_feedback("played", recorded=True)
    metrics.drift.show_genres(["jazz"])
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(segue_\w+)` \| (.*?) \|", text, re.MULTILINE))
    documented = {name: re.findall(r"`(\w+)`", labels) for name, labels in rows.items()}
    assert labels_of(metrics) == documented


def labels_of(metrics: Metrics) -> dict[str, list[str]]:
    """Segue's own metrics with their labels, under the names that Prometheus uses."""
    suffixes = {"counter": "_total", "info": "_info"}
    families = [family for family in metrics.registry.collect() if family.name.startswith("segue_")]
    return {
        family.name + suffixes.get(family.type, ""): [name for name in family.samples[0].labels if name != "le"]
        for family in families
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of a metric."""
    return metrics.registry.get_sample_value(name, labels)
