"""The three services: what each call does, in the words of the core."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import grpc

from segue.core.errors import MalformedRequest, TrackNotFound
from segue.core.identity import track_id as id_of_audio
from segue.core.index import Neighbour, Vectors
from segue.core.store import Track, TrackStore
from segue.server import convert
from segue.server.catalogue import LiveCatalogue, tracks_of
from segue.server.engine import Engine
from segue.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    classification_service_pb2,
    classification_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
    revision_pb2,
)

Context = grpc.aio.ServicerContext[Any, Any]


class _Service:
    """What every service works with."""

    def __init__(self, engine: Engine, catalogue: LiveCatalogue) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._model = engine.model.manifest

    def _revision(self) -> revision_pb2.Revision:
        return convert.revision(self._model.model_id, self._catalogue.view.revision)


class ClassificationService(_Service, classification_service_pb2_grpc.ClassificationServiceServicer):
    """Tells the genre of a piece of music."""

    async def Classify(  # noqa: N802 - the contract's name
        self, request: classification_service_pb2.ClassifyRequest, context: Context
    ) -> classification_service_pb2.ClassifyResponse:
        """Scores every genre that the model knows."""
        most = convert.limit(request)
        heard = await self._engine.hear(convert.audio_bytes(request.audio, "audio"))
        scores = convert.genre_scores(heard, self._model.labels, most)
        return classification_service_pb2.ClassifyResponse(scores=scores, revision=self._revision())


class RecommendationService(_Service, recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """Tells what to play next."""

    async def Recommend(  # noqa: N802 - the contract's name
        self, request: recommendation_service_pb2.RecommendRequest, context: Context
    ) -> recommendation_service_pb2.RecommendResponse:
        """Finds the tracks that sound nearest to the seed."""
        most = convert.limit(request)
        view = self._catalogue.searchable()
        seed, query = await self._seed(request)
        found = await asyncio.to_thread(_search, self._catalogue, query, most, seed)
        return recommendation_service_pb2.RecommendResponse(
            recommendations=[convert.recommendation(neighbour, track) for neighbour, track in found],
            revision=convert.revision(self._model.model_id, view.revision),
        )

    async def _seed(self, request: recommendation_service_pb2.RecommendRequest) -> tuple[str, Vectors]:
        """The seed's track id and its embedding."""
        match request.WhichOneof("seed"):
            case "track_id":
                return await asyncio.to_thread(_stored, self._catalogue.store, convert.track_id(request.track_id))
            case "audio":
                audio = convert.audio_bytes(request.audio, "audio")
                heard = await self._engine.hear(audio)
                return await asyncio.to_thread(id_of_audio, memoryview(audio)), heard.embedding
            case _:
                raise MalformedRequest("seed", "There is no seed; send audio or a track_id.")


def _stored(store: TrackStore, track_id: str) -> tuple[str, Vectors]:
    (embedding,) = store.embeddings([track_id])
    if embedding is None:
        raise TrackNotFound(track_id)
    return track_id, embedding


def _search(catalogue: LiveCatalogue, query: Vectors, most: int, seed: str) -> list[tuple[Neighbour, Track]]:
    return tracks_of(catalogue.store, catalogue.searchable().search(query, most, {seed}))


class CatalogService(_Service, catalog_service_pb2_grpc.CatalogServiceServicer):
    """Reads the catalogue and the state of the server."""

    async def GetTrack(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetTrackRequest, context: Context
    ) -> catalog_service_pb2.GetTrackResponse:
        """Reads one track."""
        track_id = convert.track_id(request.track_id)
        (track,) = await asyncio.to_thread(self._catalogue.store.get, [track_id])
        if track is None:
            raise TrackNotFound(track_id)
        return catalog_service_pb2.GetTrackResponse(track=convert.track(track))

    async def ListTracks(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.ListTracksRequest, context: Context
    ) -> catalog_service_pb2.ListTracksResponse:
        """Lists the tracks in the order of their ids, page by page."""
        page = convert.page(request)
        ids, tracks = await asyncio.to_thread(_page, self._catalogue.store, page)
        return catalog_service_pb2.ListTracksResponse(
            tracks=[convert.track(track) for track in tracks],
            next_page_token=convert.page_token(ids[-1]) if len(ids) == page.size else "",
        )

    async def GetStatus(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetStatusRequest, context: Context
    ) -> catalog_service_pb2.GetStatusResponse:
        """Reads which model and which catalogue the server works with."""
        return catalog_service_pb2.GetStatusResponse(
            revision=self._revision(),
            track_count=len(self._catalogue.view),
            genres=sorted(self._model.labels),
            server_version=version("segue"),
            catalogue_problem=str(self._catalogue.problem or ""),
        )


def _page(store: TrackStore, page: convert.Page) -> tuple[Sequence[str], list[Track]]:
    ids = store.track_ids(page.after, page.size)
    return ids, [track for track in store.get(ids) if track is not None]
