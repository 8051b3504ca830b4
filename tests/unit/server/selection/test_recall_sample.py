from __future__ import annotations

import threading
from collections.abc import Collection

import hnswlib
import numpy as np
import pytest

from segue.core.index.vector_index import HnswIndex, Neighbour, Vectors
from segue.core.selection.view import View
from segue.server.observability.metrics import Metrics
from segue.server.selection.recall_sample import RecallSample, SampledView
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.machine.waiting import wait_until

TRACKS, WIDTH, QUERIES = 4_000, 32, 40


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Returns the time in seconds."""
        return self.now


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Embeddings of length 1 in random directions."""
    drawn = np.random.default_rng(0).standard_normal((TRACKS, WIDTH))
    unit: Vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of a server."""
    return Metrics()


def counted(metrics: Metrics) -> tuple[float, float]:
    """Returns the number of tracks that were found, and of those that are nearest."""
    found, wanted = (metrics.registry.get_sample_value(f"segue_recall_{name}_total") for name in ("found", "wanted"))
    return found or 0.0, wanted or 0.0


def recall_of(view: View, vectors: Vectors, metrics: Metrics) -> float:
    """Returns the recall that the metrics show after some queries."""
    clock = Clock()
    sample = RecallSample(metrics.recall, 1, clock)
    for number in range(QUERIES):
        before = counted(metrics)[1]
        clock.now += 1
        sample.offer(view, vectors[number], frozenset({track_id(number)}))
        wait_until(lambda before=before: counted(metrics)[1] > before)  # type: ignore[misc]
    sample.close()
    found, wanted = counted(metrics)
    assert 10 * QUERIES == wanted
    return found / wanted


def view_of(index: HnswIndex) -> View:
    """Returns a view of one index."""
    return View(base=index, base_ids=frozenset(index.track_ids))


def test_a_good_index_finds_nearly_all(vectors: Vectors, metrics: Metrics) -> None:
    """The index as it is built has a recall of at least 0.99, and removed and added tracks do not lower it."""
    view = view_of(HnswIndex.build([track_id(number) for number in range(TRACKS)], vectors))
    changed = View(
        base=view.base,
        base_ids=view.base_ids,
        removed=frozenset(track_id(number) for number in range(100, 120)),
        added={track_id(TRACKS + number): vectors[number + 1] for number in range(50)},
    )
    assert 0.99 <= recall_of(changed, vectors, metrics)


def test_a_bad_index_finds_less(vectors: Vectors, metrics: Metrics) -> None:
    """An index with too few links has a lower recall, below the limit of the alert."""
    graph = hnswlib.Index(space="cosine", dim=WIDTH)
    graph.init_index(max_elements=TRACKS, M=2, ef_construction=2)
    graph.add_items(vectors, np.arange(TRACKS))
    view = view_of(HnswIndex([track_id(number) for number in range(TRACKS)], graph))
    assert recall_of(view, vectors, metrics) < 0.9


class SlowView:
    """A view whose exact search lasts until a test ends it."""

    def __init__(self, *, is_exact: bool = False, error: Exception | None = None) -> None:
        self.begun, self.end = threading.Event(), threading.Event()
        self.searches = 0
        self._is_exact, self._error = is_exact, error

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns one track."""
        self.searches += 1
        return [Neighbour("a", 0.5)]

    def search_exactly(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns two tracks when the test says so."""
        self.begun.set()
        self.end.wait()
        if self._error:
            raise self._error
        return [Neighbour("b", 0.9), Neighbour("a", 0.5)]

    def is_exact(self, exclude: int) -> bool:
        """Returns what the test says."""
        return self._is_exact


def offer(sample: RecallSample, view: SampledView) -> None:
    """Offers a query."""
    sample.offer(view, np.ones(1, np.float32), ())


def test_one_at_a_time(metrics: Metrics) -> None:
    """While a query is repeated, others are dropped at once; so are those of the following pause."""
    clock, view = Clock(), SlowView()
    sample = RecallSample(metrics.recall, 1, clock)
    offer(sample, view)
    view.begun.wait()
    offer(sample, view)
    clock.now = 2.0
    view.end.set()
    wait_until(lambda: not sample._turn.locked())
    clock.now = 201.0  # it took 2 s, so the next one may begin 200 s after it
    offer(sample, view)
    clock.now = 202.0
    offer(sample, view)
    wait_until(lambda: not sample._turn.locked())
    sample.close()
    assert ((2, 4), 2) == (counted(metrics), view.searches)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 2), (1.0, 8)])
def test_the_share(metrics: Metrics, share: float, expected: int) -> None:
    """A query is repeated if a random number is below the share; with 0, none is."""
    numbers = iter([0.0, 0.9, 0.5, 0.25, 0.3, 0.24, 0.8, 0.99])
    clock, view = Clock(), SlowView()
    view.end.set()
    sample = RecallSample(metrics.recall, share, clock, lambda: next(numbers))
    for _ in range(8):
        offer(sample, view)
        clock.now += 1
        wait_until(lambda: not sample._turn.locked())
    sample.close()
    assert expected == view.searches


def test_nothing_to_compare(metrics: Metrics) -> None:
    """A search that is exact anyway is not repeated, and neither is one after the end."""
    exact, view = SlowView(is_exact=True), SlowView()
    sample = RecallSample(metrics.recall, 1)
    offer(sample, exact)
    sample.close()
    offer(sample, view)
    assert (0, 0, (0, 0)) == (exact.searches, view.searches, counted(metrics))


def test_an_error_is_logged(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    """No caller waits for a repeated search, so its error goes to the log, and the next one is tried."""
    view = SlowView(error=RuntimeError("broken"))
    view.end.set()
    sample = RecallSample(metrics.recall, 1)
    offer(sample, view)
    wait_until(lambda: not sample._turn.locked())
    sample.close()
    assert "could not be compared" in caplog.text
    assert (0, 0) == counted(metrics)
