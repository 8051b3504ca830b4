from __future__ import annotations

from pathlib import Path

import numpy as np

from segue.core.index.publishing import publish
from segue.core.index.vector_index import ExactIndex
from segue.core.selection.view import View
from segue.server.live_catalogue.catalogue import LiveCatalogue
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.live_catalogues import add, embedding, following, remove, store_of


def test_compaction(tmp_path: Path) -> None:
    """Many changes since the snapshot become one index, and changes during the compaction are not lost."""
    store = store_of(*range(200))
    publish(tmp_path, store)
    add(store, *range(100, 6_000), version=1)
    with following(tmp_path, store) as catalogue:
        remove(store, 5, 3_000)
        add(store, 6_000)
        wait_until(lambda: refreshed(catalogue).changes < 10)
        assert 3 == catalogue.view.changes
        ids = store.track_ids("", 10_000)
        assert ids == sorted(catalogue.view.track_ids())
        query = embedding(1_150)  # of a track that was replaced
        exact = ExactIndex(ids, np.stack(store.embeddings(ids)))  # type: ignore[arg-type] # no embedding is missing
        expected = [neighbour.track_id for neighbour in exact.search(query, 10)]
        assert expected == [neighbour.track_id for neighbour in catalogue.view.search(query, 10)]


def refreshed(catalogue: LiveCatalogue) -> View:
    """The view after one more poll."""
    catalogue.refresh()
    return catalogue.view
