"""A catalogue in memory that recommends as the server does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from segue.core.catalogue.records import TrackFacts
from segue.core.index.vector_index import ExactIndex
from segue.core.selection.criteria import Criteria
from segue.core.selection.selector import TrackSelector
from segue.core.selection.shuffle import shuffled
from segue.core.selection.track_query import TrackQuery
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import View
from segue.trainer.arrays import Floats, Positions
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.recommendations.owners import TrackOwners


class ServedCatalogue:
    """Recommends tracks of a catalogue by the selector of the server, with an exact index."""

    def __init__(self, tracks: Predictions, embedding: Floats, owners: TrackOwners, copies: Mapping[str, str]) -> None:
        """Fills the catalogue.

        Args:
            tracks: the tracks [n]; their predicted genres can be filtered.
            embedding: embeddings [n, e] of length 1 by which they are compared.
            owners: artists and albums.
            copies: the group of each track with copies, also of others that can be seeds.
        """
        names = list(tracks.tracks)
        self._rows = {name: row for row, name in enumerate(names)}
        self._view = View(base=ExactIndex(names, embedding), base_ids=frozenset(names))
        table = TrackTable()
        genres = (tracks.labels[genre] for genre in tracks.posterior.argmax(1))
        table.put(names, (_facts(name, genre, owners) for name, genre in zip(names, genres, strict=True)))
        table.group(copies)
        table.is_complete = True
        self._selector = TrackSelector(table)

    def recommend(self, embedding: Floats, seed: str | None, criteria: Criteria, count: int) -> Positions:
        """Returns the rows [at most ``count``] of recommended tracks, the first one first.

        Args:
            embedding: embedding [e] of the seed, of length 1.
            seed: the name of a seed that is in the catalogue and is left out, with its copies; None for other sound.
            criteria: filter, limits, diversity and order.
            count: largest number of tracks.
        """
        query = TrackQuery(embedding, count, frozenset({seed} if seed else ()), criteria)
        found = self._selector.select(self._view, query).neighbours
        names = shuffled([neighbour.track_id for neighbour in found], criteria.variety.shuffle_seed, str)
        return np.array([self._rows[name] for name in names], np.int64)


def _facts(name: str, genre: str, owners: TrackOwners) -> TrackFacts:
    return TrackFacts(name, artist=owners.artists.get(name, ""), album=owners.albums.get(name, ""), genre=genre)
