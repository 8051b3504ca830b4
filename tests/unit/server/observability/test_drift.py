from __future__ import annotations

from segue.core.audio.quality import Flag
from segue.server.observability.metrics import Metrics


def test_a_clip_is_counted() -> None:
    """A clip counts for its genre and its flags, and its probability is in the histogram."""
    metrics = Metrics()
    metrics.drift.clip_analyzed("jazz", 0.85, [Flag.SHORT, Flag.CLIPPED])
    metrics.drift.clip_analyzed("jazz", 0.15, [Flag.SHORT])
    assert 2 == value(metrics, "segue_clips_analyzed_total")
    assert 2 == value(metrics, "segue_top_genre_total", genre="jazz")
    assert 1 == value(metrics, "segue_top_genre_probability_bucket", le="0.8")
    assert 2 == value(metrics, "segue_quality_flags_total", flag="SHORT")
    assert 1 == value(metrics, "segue_quality_flags_total", flag="CLIPPED")


def test_every_label_shows_zero() -> None:
    """Genres of the model and flags that no clip had show 0, so that the first one is an increase."""
    metrics = Metrics()
    metrics.drift.show_genres(["jazz", "rock"])
    genres = [value(metrics, "segue_top_genre_total", genre=genre) for genre in ("jazz", "rock")]
    flags = [value(metrics, "segue_quality_flags_total", flag=flag.value) for flag in Flag]
    assert ([0, 0], [0] * len(Flag)) == (genres, flags)


def test_first_similarities() -> None:
    """The similarity of the first recommendation is in the histogram, whatever its sign."""
    metrics = Metrics()
    metrics.drift.found_first(-0.5)
    metrics.drift.found_first(0.97)
    assert 1 == value(metrics, "segue_first_similarity_bucket", le="0.0")
    assert 2 == value(metrics, "segue_first_similarity_bucket", le="0.975")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of a metric."""
    return metrics.registry.get_sample_value(name, labels)
