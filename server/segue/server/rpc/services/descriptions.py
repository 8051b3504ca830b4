"""Describes the tracks that a search has found."""

from __future__ import annotations

from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.selection.nearest_tracks import FoundNeighbours, NearestTracks


async def described(found: FoundNeighbours, catalogue: LiveCatalogue, readers: BoundedExecutor) -> NearestTracks:
    """Returns the found tracks with their metadata, which a thread reads if it is not in memory."""
    nearest = catalogue.described_from_memory(found)
    return nearest if nearest is not None else await readers.run(catalogue.described, found)
