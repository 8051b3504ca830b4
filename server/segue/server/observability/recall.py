"""Metrics of the share of the nearest tracks that the index finds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class Recall:
    """Counts the nearest tracks of sampled queries, and those that the index found. Every method is thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Creates the metrics in a registry."""
        self._wanted = Counter(
            "segue_recall_wanted", "Nearest tracks of sampled queries, by exact search.", registry=registry
        )
        self._found = Counter("segue_recall_found", "Those of them that the index found.", registry=registry)

    def add(self, found: int, wanted: int) -> None:
        """Adds a query of whose ``wanted`` nearest tracks the index found so many."""
        self._wanted.inc(wanted)
        self._found.inc(found)
