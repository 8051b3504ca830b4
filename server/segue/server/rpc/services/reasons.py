"""Explains recommendations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.selection.reasons import SeedPart, find_reasons
from segue.v1 import recommendation_service_pb2


def reasons(
    seeds: Sequence[SeedPart], track_ids: Sequence[str], catalogue: LiveCatalogue, tags: Sequence[str]
) -> list[recommendation_service_pb2.Reason]:
    """Returns the reason for each recommended track.

    Args:
        seeds: the seeds, at least one.
        track_ids: the ids of the tracks.
        catalogue: the catalogue; a track that was removed a moment ago has no similarity to any seed.
        tags: the tags of the model, in its order.
    """
    table, found = catalogue.table, catalogue.view.embeddings(track_ids)
    if not track_ids:
        return []
    embeddings = np.stack([np.zeros_like(seeds[0].embedding) if vector is None else vector for vector in found])
    parts = [part._replace(traits=table.traits_of(part.track_id)) if part.track_id else part for part in seeds]
    return [
        recommendation_service_pb2.Reason(
            seed=reason.seed,
            similarity=reason.similarity,
            genre=reason.common.genre,
            tags=[tag for tag in tags if tag in reason.common.tags],
        )
        for reason in find_reasons(parts, embeddings, list(map(table.traits_of, track_ids)))
    ]
