"""Finds the embeddings of the seeds of a recommendation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segue.core.errors import MalformedRequest
from segue.core.index.vector_index import Vectors
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.engine import Engine
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.rpc import catalogue_requests, converters, recommend_requests
from segue.server.rpc.streams import audio_errors
from segue.v1 import recommendation_service_pb2

# Shorter sums have no direction but that of rounding errors.
_MIN_LENGTH = 1e-4


class Seeds(NamedTuple):
    """The seeds of a recommendation.

    Attributes:
        track_ids: the ids of the seeds that are clips or tracks, which are never recommended.
        embedding: the embedding [e] of length 1 to compare tracks with.
        analyzed: the clip if the only seed is one, else None.
    """

    track_ids: frozenset[str]
    embedding: Vectors
    analyzed: AnalyzedClip | None = None


@dataclass(frozen=True)
class SeedFinder:
    """Finds the seeds of one call.

    Attributes:
        engine: analyzes clips.
        catalogue: has the embeddings of tracks.
        search: has the means of genres.
        readers: threads for what takes long.
        clip_bytes: largest clip in one message.
        seconds_left: time limit of the call in seconds, or None.
    """

    engine: Engine
    catalogue: LiveCatalogue
    search: CatalogueSearch
    readers: BoundedExecutor
    clip_bytes: int
    seconds_left: float | None

    async def find(self, request: recommendation_service_pb2.RecommendRequest) -> Seeds:
        """Returns the seeds of a request that ``recommend_requests`` has checked.

        Raises:
            TrackNotFound: the catalogue lacks tracks; the message names them.
            MalformedRequest: an embedding or a genre cannot be a seed, or the seeds cancel each other out.
            AudioError: a clip cannot be used.
        """
        if request.seeds:
            return await self._several(request.seeds)
        if converters.seed_kind(request) == "track_id":
            track_id = catalogue_requests.track_id(request.track_id)
            return Seeds(frozenset({track_id}), (await self._tracks([track_id]))[track_id])
        return await self.clip(converters.audio_bytes(request.audio, "audio", self.clip_bytes))

    async def clip(self, audio: Path | bytes) -> Seeds:
        """Analyzes a clip that is the only seed."""
        analyzed = await self.engine.analyze(audio, self.seconds_left, identify=True)
        return Seeds(frozenset({str(analyzed.track_id)}), analyzed.prediction.embedding, analyzed)

    async def _several(self, seeds: Iterable[recommendation_service_pb2.Seed]) -> Seeds:
        """Returns the weighted sum of seeds, brought to length 1: Rocchio's formula (1971)."""
        numbered = list(enumerate(seeds))
        tracks = await self._tracks([seed.track_id for _, seed in numbered if seed.HasField("track_id")])
        track_ids = set(tracks)
        total = np.zeros(self.engine.model.manifest.embedding_width, np.float64)
        for number, seed in numbered:
            if seed.HasField("audio"):
                clip = await self._clip_of_several(seed, number)
                track_ids |= clip.track_ids
                embedding = clip.embedding
            else:
                embedding = tracks[seed.track_id] if seed.HasField("track_id") else await self._made(seed, number)
            total += recommend_requests.seed_weight(seed) * embedding.astype(np.float64)
        length = float(np.linalg.norm(total))
        if length < _MIN_LENGTH:
            raise MalformedRequest("seeds", "The seeds cancel each other out; change their weights.")
        return Seeds(frozenset(track_ids), (total / length).astype(np.float32))

    async def _clip_of_several(self, seed: recommendation_service_pb2.Seed, number: int) -> Seeds:
        audio = converters.audio_bytes(seed.audio, f"seeds[{number}].audio", self.clip_bytes)
        with audio_errors(f"seeds[{number}].audio.content"):
            return await self.clip(audio)

    async def _made(self, seed: recommendation_service_pb2.Seed, number: int) -> Vectors:
        """Returns the embedding of a seed that is an embedding or a genre."""
        manifest = self.engine.model.manifest
        if seed.HasField("embedding"):
            return recommend_requests.embedding(seed, number, manifest)
        field = f"seeds[{number}].genre"
        recommend_requests.check_genre(field, seed.genre, manifest.labels)
        mean = await self.readers.run(self.search.genre_mean, seed.genre)
        if mean is None:
            raise MalformedRequest(field, f"The catalogue has no track whose predicted genre is {seed.genre}.")
        return mean

    async def _tracks(self, track_ids: list[str]) -> dict[str, Vectors]:
        """Returns the embeddings of tracks, by id; see ``LiveCatalogue.embeddings``."""
        if any(embedding is None for embedding in self.catalogue.view.embeddings(track_ids)):
            embeddings = await self.readers.run(self.catalogue.embeddings, track_ids)  # reads the store
        else:
            embeddings = self.catalogue.embeddings(track_ids)
        return dict(zip(track_ids, embeddings, strict=True))
