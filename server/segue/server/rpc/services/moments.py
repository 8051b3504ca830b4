"""Finds the moments at which recommended tracks match their seeds."""

from __future__ import annotations

from collections.abc import Sequence

from segue.core.catalogue.window_embeddings import WindowEmbeddings
from segue.core.errors import StoreUnavailable
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.rpc.track_messages import duration
from segue.server.selection.moments import Moment, find_moments
from segue.server.selection.reasons import SeedPart
from segue.v1 import recommendation_service_pb2


def moments(
    seeds: Sequence[SeedPart], chosen: Sequence[int], track_ids: Sequence[str], catalogue: LiveCatalogue, seconds: float
) -> list[recommendation_service_pb2.TrackMoments]:
    """Returns the matching moments of each recommended track; none where the windows of either are not known.

    It reads the store.

    Args:
        seeds: the seeds.
        chosen: number of the seed for each track.
        track_ids: the ids of the tracks.
        catalogue: keeps the windows of tracks.
        seconds: length of a window.
    """
    known = [seeds[number].track_id for number in sorted(set(chosen))]
    stored = _read([*track_ids, *filter(None, known)], catalogue, len(seeds[0].embedding))
    of_seeds = {number: seeds[number].windows or stored.get(seeds[number].track_id) for number in set(chosen)}
    found: list[recommendation_service_pb2.TrackMoments] = []
    for number, track_id in zip(chosen, track_ids, strict=True):
        seed, track = of_seeds[number], stored.get(track_id)
        pairs = find_moments(seed, track) if seed and track else []
        messages = [_message(pair, seconds) for pair in pairs]
        found.append(recommendation_service_pb2.TrackMoments(seed=number, moments=messages))
    return found


def _read(track_ids: Sequence[str], catalogue: LiveCatalogue, width: int) -> dict[str, WindowEmbeddings]:
    """Returns the windows that are known, of embeddings of this width.

    None while the store does not answer, since recommendations do not need it, or once another model has replaced the
    catalogue, which has the same ids.
    """
    try:
        found = [] if catalogue.is_replaced else catalogue.store.windows(track_ids)
    except StoreUnavailable:
        return {}
    known = {track_id: windows for track_id, windows in zip(track_ids, found, strict=False) if windows is not None}
    return {track_id: windows for track_id, windows in known.items() if windows.values.shape[1] == width}


def _message(moment: Moment, seconds: float) -> recommendation_service_pb2.Moment:
    return recommendation_service_pb2.Moment(
        seed_start=duration(moment.seed_start),
        seed_end=duration(moment.seed_start + seconds),
        start=duration(moment.start),
        end=duration(moment.start + seconds),
        similarity=moment.similarity,
    )
