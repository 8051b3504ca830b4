"""Finds the embeddings of the seeds of a recommendation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from segue.core.catalogue.tag_scores import MIN_TRACK_TAG
from segue.core.catalogue.window_embeddings import WindowEmbeddings
from segue.core.errors import MalformedRequest
from segue.core.index.vector_index import Vectors
from segue.core.selection.criteria import TrackFilter
from segue.core.selection.track_table import Traits
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.engine import Engine
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.rpc import catalogue_requests, converters, recommend_requests
from segue.server.rpc.streams import audio_errors
from segue.server.selection.reasons import SeedPart
from segue.v1.recommendation_service_pb2 import RecommendRequest, Seed

# Relative to the sum of the weights. A shorter sum has no direction but that of rounding errors.
_MIN_LENGTH = 1e-4


class Seeds(NamedTuple):
    """The seeds of a recommendation.

    Attributes:
        track_ids: the ids of the seeds that are clips or tracks, which are never recommended.
        embedding: the embedding [e] of length 1 to compare tracks with.
        analyzed: the clip if the only seed is one, else None.
        is_one: True if there is one seed.
        parts: each seed by itself.
    """

    track_ids: frozenset[str]
    embedding: Vectors
    analyzed: AnalyzedClip | None = None
    is_one: bool = True
    parts: tuple[SeedPart, ...] = ()


class FoundSeed(NamedTuple):
    """One seed by itself.

    Attributes:
        part: its embedding and what is known of it.
        track_id: its id if it is a clip or a track, which is never recommended, else "".
    """

    part: SeedPart
    track_id: str = ""


def weighted_sum(embeddings: Vectors, weights: NDArray[np.float64], field: str) -> Vectors:
    """Returns the weighted sum [e] of embeddings [n, e], brought to length 1: Rocchio's formula (1971).

    Raises:
        MalformedRequest: they cancel each other out; the error names the field.
    """
    total = weights @ embeddings.astype(np.float64)
    length = float(np.linalg.norm(total))
    if length < _MIN_LENGTH * np.abs(weights).sum():
        raise MalformedRequest(field, f"The {field} cancel each other out; change their weights.")
    unit: Vectors = (total / length).astype(np.float32)
    return unit


class SeedSources(Protocol):
    """The parts of a server that find seeds; see ``Components``."""

    @property
    def engine(self) -> Engine:
        """Analyzes clips."""
        ...

    @property
    def catalogue(self) -> LiveCatalogue:
        """Has the embeddings of tracks."""
        ...

    @property
    def nearest(self) -> CatalogueSearch:
        """Has the means of genres and tags."""
        ...

    @property
    def readers(self) -> BoundedExecutor:
        """Threads for what takes long."""
        ...

    @property
    def clip_bytes(self) -> int:
        """Largest clip in one message."""
        ...


@dataclass(frozen=True)
class SeedFinder:
    """Finds the seeds of one call.

    Attributes:
        sources: finds them.
        seconds_left: returns the time that the call has left in seconds, or None.
        keep_windows: True to predict the embeddings of the windows of clips, for matching moments.
    """

    sources: SeedSources
    seconds_left: Callable[[], float | None]
    keep_windows: bool = False

    async def find(self, request: RecommendRequest) -> Seeds:
        """Returns the seeds of a request that ``recommend_requests`` has checked.

        Raises:
            TrackNotFound: the catalogue lacks tracks; the message names them.
            MalformedRequest: an embedding, a genre or a tag cannot be a seed, or the seeds cancel each other out.
            AudioError: a clip cannot be used.
        """
        if request.seeds:
            return await self._several(request.seeds)
        if converters.seed_kind(request) == "track_id":
            track_id = catalogue_requests.track_id(request.track_id)
            embedding = (await self._tracks([track_id]))[track_id]
            return Seeds(frozenset({track_id}), embedding, parts=(SeedPart(embedding, track_id=track_id),))
        return await self.clip(converters.audio_bytes(request.audio, "audio", self.sources.clip_bytes))

    async def clip(self, audio: Path | bytes) -> Seeds:
        """Analyzes a clip that is the only seed."""
        analyzed = await self.sources.engine.analyze(
            audio, self.seconds_left(), identify=True, keep_windows=self.keep_windows
        )
        embedding = analyzed.prediction.embedding
        kept = analyzed.prediction.windows
        windows = None if kept is None else WindowEmbeddings(analyzed.clip.windows.starts, kept)
        part = SeedPart(embedding, traits=self._traits(analyzed), windows=windows)
        return Seeds(frozenset({str(analyzed.track_id)}), embedding, analyzed, parts=(part,))

    def _traits(self, analyzed: AnalyzedClip) -> Traits:
        """Returns the predicted genre and tags of a clip."""
        manifest, prediction = self.sources.engine.model.manifest, analyzed.prediction
        scores = zip(manifest.tags, prediction.tag_scores.tolist(), strict=True)
        tags = frozenset(tag for tag, score in scores if score >= MIN_TRACK_TAG)
        return Traits(manifest.labels[int(prediction.posterior.argmax())], tags)

    async def _several(self, seeds: Sequence[Seed]) -> Seeds:
        """Returns the weighted sum of seeds; see ``weighted_sum``."""
        found = await self.find_each({f"seeds[{number}]": seed for number, seed in enumerate(seeds)})
        weights = [recommend_requests.seed_weight(seed) for seed in seeds]
        parts = tuple(each.part._replace(weight=weight) for each, weight in zip(found, weights, strict=True))
        track_ids = frozenset(each.track_id for each in found if each.track_id)
        embedding = weighted_sum(np.stack([part.embedding for part in parts]), np.array(weights), "seeds")
        return Seeds(track_ids, embedding, is_one=len(seeds) == 1, parts=parts)

    async def find_each(self, seeds: Mapping[str, Seed]) -> list[FoundSeed]:
        """Returns each of several seeds by itself; see ``find``.

        Args:
            seeds: the seeds by their fields in the request, which errors name.
        """
        clips = {field: self._clip_bytes(seed, field) for field, seed in seeds.items() if seed.HasField("audio")}
        tracks = await self._tracks([seed.track_id for seed in seeds.values() if seed.HasField("track_id")])
        found = await self._without_audio(seeds, tracks)
        for field, audio in clips.items():  # last, since they take the longest
            with audio_errors(f"{field}.audio.content"):
                clip = await self.clip(audio)
            found[field] = FoundSeed(clip.parts[0], *clip.track_ids)
        return [found[field] for field in seeds]

    def _clip_bytes(self, seed: Seed, field: str) -> bytes:
        advice = "Send a shorter clip, or index it and send its track_id."
        with audio_errors(f"{field}.audio.content"):
            return converters.audio_bytes(seed.audio, f"{field}.audio", self.sources.clip_bytes, advice)

    async def _without_audio(self, seeds: Mapping[str, Seed], tracks: dict[str, Vectors]) -> dict[str, FoundSeed]:
        """Returns the seeds that are no clips, by their fields."""
        means: dict[TrackFilter, Vectors] = {}
        found: dict[str, FoundSeed] = {}
        for field, seed in seeds.items():
            if seed.HasField("track_id"):
                found[field] = FoundSeed(SeedPart(tracks[seed.track_id], track_id=seed.track_id), seed.track_id)
            elif seed.HasField("embedding"):
                manifest = self.sources.engine.model.manifest
                found[field] = FoundSeed(SeedPart(converters.embedding(seed.embedding, f"{field}.embedding", manifest)))
            elif seed.HasField("genre") or seed.HasField("tag"):
                wanted = self._named(seed, field)
                if wanted not in means:
                    means[wanted] = await self._mean(wanted, field)
                found[field] = FoundSeed(SeedPart(means[wanted], traits=Traits("".join(wanted.genres), wanted.tags)))
        return found

    def _named(self, seed: Seed, field: str) -> TrackFilter:
        """Returns the tracks whose mean is a seed that names a genre or a tag."""
        manifest = self.sources.engine.model.manifest
        if seed.HasField("genre"):
            genre = recommend_requests.known_genre(f"{field}.genre", seed.genre, manifest)
            return TrackFilter(genres=frozenset({genre}))
        tag = recommend_requests.known_tag(f"{field}.tag", seed.tag, manifest)
        return TrackFilter(tags=frozenset({tag}))

    async def _mean(self, wanted: TrackFilter, field: str) -> Vectors:
        mean = await self.sources.readers.run(self.sources.nearest.mean, wanted)
        if mean is None:
            kind, names = ("genre", wanted.genres) if wanted.genres else ("tag", wanted.tags)
            message = f"The catalogue has no track with the predicted {kind} {', '.join(names)}."
            raise MalformedRequest(f"{field}.{kind}", message)
        return mean

    async def _tracks(self, track_ids: list[str]) -> dict[str, Vectors]:
        """Returns the embeddings of tracks, by id; see ``LiveCatalogue.embeddings``."""
        known = self.sources.catalogue.view.embeddings(track_ids)
        found = [embedding for embedding in known if embedding is not None]
        if len(found) < len(track_ids):
            found = await self.sources.readers.run(self.sources.catalogue.embeddings, track_ids)  # reads the store
        return dict(zip(track_ids, found, strict=True))
