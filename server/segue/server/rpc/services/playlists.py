"""The service that finds playlists."""

from __future__ import annotations

import numpy as np

from segue.core.errors import MalformedRequest
from segue.server.components import ComponentsUser
from segue.server.live_catalogue.playlists.continuation import PlayedList
from segue.server.live_catalogue.playlists.paths import angle_between
from segue.server.live_catalogue.playlists.search import ContinuationQuery, PathEnd, PathQuery
from segue.server.rpc import converters, recommend_requests
from segue.server.rpc.handlers import Context
from segue.server.rpc.services import playlist_requests
from segue.server.rpc.services.descriptions import described
from segue.server.rpc.services.seeds import FoundSeed, SeedFinder, weighted_sum
from segue.server.rpc.services.track_ids import resolve_external_ids
from segue.server.rpc.track_messages import response_of
from segue.server.selection.nearest_tracks import FoundNeighbours
from segue.v1 import recommendation_service_pb2_grpc
from segue.v1.recommendation_service_pb2 import (
    ContinueRequest,
    ContinueResponse,
    FindPathRequest,
    FindPathResponse,
    RecommendResponse,
)

# In radians: ends that are nearer to each other, or to opposite points, have no way between them but rounding errors.
_LEAST_ANGLE = 1e-3


class PlaylistService(ComponentsUser, recommendation_service_pb2_grpc.PlaylistServiceServicer):
    """Finds the tracks to play after a list, and those that lead from one sound to another."""

    async def Continue(self, request: ContinueRequest, context: Context) -> ContinueResponse:  # noqa: N802 - the contract's name
        """Returns the tracks to play after a list."""
        await self._resolve(request)
        half_life, limit = playlist_requests.half_life(request), playlist_requests.limit(request)
        recommend_requests.check_seeds(request.items, "items")
        criteria = playlist_requests.criteria(request, self._components.manifest)
        self._components.nearest.check_searchable(criteria)  # fails before a clip is decoded in vain
        items = await SeedFinder(self._components, context.time_remaining).find_each(
            {f"items[{place}]": item for place, item in enumerate(request.items)}
        )
        embeddings = np.stack([item.part.embedding for item in items])
        weights = np.array([recommend_requests.seed_weight(item) for item in request.items])
        played = PlayedList(embeddings, weights, half_life)
        start = weighted_sum(embeddings, played.all_weights, "items")
        track_ids = frozenset(item.track_id for item in items if item.track_id)
        query = ContinuationQuery(played, start, track_ids, items[-1].track_id, limit, criteria)
        found = await self._components.readers.run(self._components.playlists.continue_list, query)
        response = ContinueResponse()
        await self._fill(response, found, limit)
        return response

    async def FindPath(self, request: FindPathRequest, context: Context) -> FindPathResponse:  # noqa: N802 - the contract's name
        """Returns the tracks that lead from one sound to another."""
        await self._resolve(request)
        length = playlist_requests.length(request)
        ends = {"start": request.start, "end": request.end}
        for field, seed in ends.items():
            recommend_requests.check_source(seed, field)
        criteria = playlist_requests.path_criteria(request, self._components.manifest)
        self._components.nearest.check_searchable(criteria)  # fails before a clip is decoded in vain
        start, end = map(self._end, await SeedFinder(self._components, context.time_remaining).find_each(ends))
        self._check_ends(start, end)
        query = PathQuery(start, end, length - start.is_track - end.is_track, criteria)
        path = await self._components.readers.run(self._components.playlists.find_path, query)
        response = FindPathResponse()
        if path.steps:
            response.greatest_step, response.mean_step = max(path.steps), float(np.mean(path.steps))
        await self._fill(response, path.found, length)
        return response

    async def _resolve(self, request: ContinueRequest | FindPathRequest) -> None:
        await resolve_external_ids(request, self._components.catalogue, self._components.readers)

    def _end(self, seed: FoundSeed) -> PathEnd:
        """Returns an end of a path, which is a track also if it is a clip of the same audio."""
        part, track_id = seed
        is_track = bool(
            part.track_id or (track_id and self._components.catalogue.view.embeddings([track_id])[0] is not None)
        )
        return PathEnd(part.embedding, track_id, is_track)

    def _check_ends(self, start: PathEnd, end: PathEnd) -> None:
        """Checks that there is a way between two ends.

        Raises:
            MalformedRequest: there is none.
        """
        groups = [set(self._components.catalogue.table.groups_of([each.track_id])) for each in (start, end)]
        angle = angle_between(start.embedding, end.embedding)
        if (start.track_id and start.track_id == end.track_id) or groups[0] & groups[1]:
            message = "start and end are the same recording, so there is no path between them. Choose another end."
        elif angle < _LEAST_ANGLE:
            message = "start and end sound exactly the same, so there is no path between them. Choose another end."
        elif angle > np.pi - _LEAST_ANGLE:
            message = "start and end are exactly opposite, so every path would do. Choose another end."
        else:
            return
        raise MalformedRequest("end", message)

    async def _fill(
        self, response: ContinueResponse | FindPathResponse, found: FoundNeighbours, requested: int
    ) -> None:
        """Fills in what both responses have."""
        components = self._components
        nearest = await described(found, components.catalogue, components.readers)
        tracks: RecommendResponse = response_of(nearest.tracks, components.catalogue.table.copies_of)
        response.tracks.extend(tracks.recommendations)
        response.revision.CopyFrom(converters.revision(components.model_id, nearest.revision, nearest.stale))
        response.emptied_by = f"filter.{found.emptied_by}" if found.emptied_by else ""
        response.limited = found.is_limited and len(response.tracks) < requested
