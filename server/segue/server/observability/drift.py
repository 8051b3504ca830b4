"""Metrics that show whether the music that is analyzed, or what is found for it, differs from that of earlier days."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from segue.core.audio.quality import Flag

_PROBABILITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
# Most neighbours are near: the steps are finer there.
_SIMILARITIES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 1.0)


class Drift:
    """Counts predictions, sound quality and first results. Every method is thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Creates the metrics in a registry; every flag shows 0."""
        self._clips = Counter("segue_clips_analyzed", "Clips that were analyzed.", registry=registry)
        self._genres = Counter("segue_top_genre", "Clips by their most probable genre.", ["genre"], registry=registry)
        self._probability = Histogram(
            "segue_top_genre_probability",
            "Probability of the most probable genre.",
            buckets=_PROBABILITIES,
            registry=registry,
        )
        self._flags = Counter("segue_quality_flags", "Clips by their quality flags.", ["flag"], registry=registry)
        for flag in Flag:
            self._flags.labels(flag.value)
        self._similarity = Histogram(
            "segue_first_similarity",
            "Cosine similarity of the first recommendation to its seed.",
            buckets=_SIMILARITIES,
            registry=registry,
        )

    def show_genres(self, genres: Iterable[str]) -> None:
        """Shows 0 for each genre of a model that was not predicted yet, so that a first clip is an increase."""
        for genre in genres:
            self._genres.labels(genre)

    def clip_analyzed(self, genre: str, probability: float, flags: Iterable[Flag]) -> None:
        """Counts a clip.

        Args:
            genre: its most probable genre, of the labels of the model.
            probability: the probability of this genre, [0, 1].
            flags: its quality flags.
        """
        self._clips.inc()
        self._genres.labels(genre).inc()
        self._probability.observe(probability)
        for flag in flags:
            self._flags.labels(flag.value).inc()

    def found_first(self, similarity: float) -> None:
        """Records the cosine similarity, [-1, 1], of the first recommendation to its seed."""
        self._similarity.observe(similarity)
