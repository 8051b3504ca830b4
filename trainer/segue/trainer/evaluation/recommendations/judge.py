"""Judges ways to recommend: genre, artists, copies, variety and hubs, with intervals over artists."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from segue.core.selection.criteria import Criteria, Variety
from segue.trainer.arrays import AnyFloats
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.artists import ArtistSample, Interval
from segue.trainer.evaluation.recommendations import measures
from segue.trainer.evaluation.recommendations.judgement import LENGTH, JudgedRecommendations, WayFigures
from segue.trainer.evaluation.recommendations.measures import Lists
from segue.trainer.evaluation.recommendations.served import ServedCatalogue
from segue.trainer.evaluation.recommendations.tracks import JudgedTracks
from segue.trainer.evaluation.recommendations.ways import NEAREST, Way, judged_ways

_SHORT = 5
_CHANCE = "random tracks"


def judge_recommendations(tracks: JudgedTracks) -> JudgedRecommendations:
    """Judges each way to recommend that the tracks allow.

    Raises:
        DataUnusable: the embeddings are not known, or there are fewer than ten tracks to recommend.
    """
    _check(tracks)
    ways, reasons = judged_ways(tracks)
    judge = _Judge(tracks)
    figures = [judge.judge(way) for way in (NEAREST, *ways)]
    catalogue = len(tracks.catalogue.tracks)
    return JudgedRecommendations(
        len(tracks.seeds.tracks), catalogue, tracks.pool is None, (*figures, judge.judge_chance()), tuple(reasons)
    )


def _check(tracks: JudgedTracks) -> None:
    if not tracks.seeds.has_embeddings:
        raise DataUnusable("Recommendations cannot be judged: the embeddings of the tracks are not known.")
    choice = len(tracks.catalogue.tracks) - (tracks.pool is None)
    if choice < LENGTH:
        raise DataUnusable(
            f"Recommendations are judged by lists of {LENGTH} tracks, and there are {choice} to recommend. Name more "
            "tracks with --input, or another --side or --pool."
        )


class _Judge:
    """Recommends to all seeds, and measures the lists."""

    def __init__(self, tracks: JudgedTracks) -> None:
        self._tracks = tracks
        copies = tracks.found_copies()
        self._recordings = tracks.recordings(copies)
        catalogue, owners = tracks.catalogue, tracks.owners
        self._served = ServedCatalogue(catalogue, catalogue.embedding, owners, copies)
        # To a perfect network, the tracks of a genre are equal, and unlike all others.
        self._perfect_embedding = np.eye(len(catalogue.labels), dtype=np.float32)
        self._perfect = ServedCatalogue(catalogue, self._perfect_embedding[catalogue.genres], owners, copies)
        self._possible, self._sample = cache(self._most_hits), cache(self._sample_of)
        self._nearest = self._hits(self._lists(NEAREST)), self._possible(NEAREST.limits)

    def judge(self, way: Way) -> WayFigures:
        """Returns the figures of a way."""
        return self._figures(way, self._lists(way))

    def judge_chance(self) -> WayFigures:
        """Returns the figures of random tracks."""
        return self._figures(Way(_CHANCE), self._random_lists())

    def _lists(self, way: Way) -> Lists:
        seeds = self._tracks.seeds
        genres = (seeds.labels[genre] for genre in seeds.posterior.argmax(1))
        return [
            self._served.recommend(embedding, self._own(name), way.criteria(genre), LENGTH)
            for embedding, name, genre in zip(seeds.embedding, seeds.tracks, genres, strict=True)
        ]

    def _random_lists(self) -> Lists:
        random, size = np.random.default_rng(0), len(self._tracks.catalogue.tracks)
        if self._tracks.pool is not None:
            return [random.choice(size, LENGTH, replace=False) for _ in self._tracks.seeds.tracks]
        # The row of the seed is left out of those that are drawn from.
        drawn = (random.choice(size - 1, LENGTH, replace=False) for _ in range(size))
        return [rows + (rows >= seed) for seed, rows in enumerate(drawn)]

    def _own(self, name: str) -> str | None:
        """Returns the name of a seed that is a track of the catalogue."""
        return name if self._tracks.pool is None else None

    def _hits(self, lists: Lists, k: int = LENGTH) -> AnyFloats:
        return measures.genre_hits(k, lists, self._tracks.seeds, self._tracks.catalogue)

    def _most_hits(self, limits: Variety) -> AnyFloats:
        """Counts the tracks of each seed's genre that lists within some limits can have, [n]."""
        seeds = self._tracks.seeds
        lists = [
            self._perfect.recommend(self._perfect_embedding[genre], self._own(name), Criteria(None, limits), LENGTH)
            for genre, name in zip(seeds.genres, seeds.tracks, strict=True)
        ]
        return self._hits(lists)

    def _figures(self, way: Way, lists: Lists) -> WayFigures:
        hits, possible = self._hits(lists), self._possible(way.limits)
        nearest_hits, nearest_possible = self._nearest
        share, nearest_share = _ratio(hits, possible), _ratio(nearest_hits, nearest_possible)
        tracks, catalogue = self._tracks, self._tracks.catalogue
        shares = {
            "precision_at_5": self._hits(lists, _SHORT) / _SHORT,
            "precision_at_10": hits / LENGTH,
            "precision_of_others": measures.precision_of_others(lists, tracks),
            "share_of_possible": share,
            "same_artist_at_10": measures.same_artist_share(LENGTH, lists, tracks),
        }
        means = {
            "possible_at_10": possible / LENGTH,
            "cost_at_10": (nearest_hits - hits) / LENGTH,
            "cost_of_possible": nearest_share - share,
            "artists_in_10": measures.different_artists(lists, tracks),
            "copies_in_10": measures.copies_in(lists, tracks, self._recordings),
            "diversity_at_10": measures.intra_list_diversity(lists, catalogue),
            "novelty_at_10": measures.seed_distance(lists, tracks),
        }
        figures = {
            **{name: self._interval(values, ArtistSample.share_interval) for name, values in shares.items()},
            **{name: self._interval(values, ArtistSample.interval) for name, values in means.items()},
            **self._figures_of_all(lists),
        }
        return WayFigures(way.name, way.is_default, figures)

    def _interval(self, values: AnyFloats, estimate: Callable[[ArtistSample, AnyFloats], Interval]) -> Interval:
        """Estimates the mean of values [n] over the seeds for which they are known."""
        known = ~np.isnan(values)
        if not known.any():
            return Interval(math.nan, math.nan, math.nan)
        return estimate(self._sample(known.tobytes()), values[known])

    def _sample_of(self, known: bytes) -> ArtistSample:
        """Returns the seeds that are marked, as a sample of artists."""
        seeds, rows = self._tracks.seeds, np.flatnonzero(np.frombuffer(known, np.bool_))
        names = (seeds.tracks[row] for row in rows)
        groups = [measures.artist_key(self._tracks, name) or self._recordings[name] for name in names]
        return ArtistSample(seeds.genres[rows], np.array(groups))

    def _figures_of_all(self, lists: Lists) -> dict[str, Interval]:
        """Returns the figures of all lists together."""
        has = measures.occurrences(lists, len(self._tracks.catalogue.tracks))
        sample = self._sample(np.ones(len(lists), np.bool_).tobytes())
        covered = sample.centred_interval_of(lambda weights: measures.coverage(has, weights))
        return {
            "coverage": Interval(covered.mean, max(0.0, covered.low), min(1.0, covered.high)),
            "occurrence_skew": sample.centred_interval_of(lambda weights: measures.occurrence_skew(has, weights)),
        }


def _ratio(hits: AnyFloats, possible: AnyFloats) -> AnyFloats:
    """Returns hits [n] as shares of what is possible, NaN where nothing is."""
    ratio: AnyFloats = np.divide(hits, possible, out=np.full(len(hits), math.nan), where=possible > 0)
    return ratio
