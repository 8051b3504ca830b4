"""Intervals over artists: tracks of one artist tend to be right or wrong together, so artists are drawn, not tracks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from segue.trainer.arrays import AnyFloats, Positions

_RESAMPLES = 2_000
# Intervals of genres with two artists would cover the true mean in 65 to 80 % of trials.
_MIN_ARTISTS = 3
# For statistics that take longer than a mean.
_FEW_RESAMPLES = 200
_DRAWS_AT_ONCE = 100


class Interval(NamedTuple):
    """A mean and its 95 % interval; NaN where it cannot be measured."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Returns True if 0 is outside."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return format(self)

    def __format__(self, spec: str) -> str:
        if math.isnan(self.mean) or math.isnan(self.low):
            return "not measured" if math.isnan(self.mean) else f"{self.mean:{spec or '.3f'}}"
        spec = spec or ".3f"
        return f"{self.mean:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


class ArtistSample:
    """The genres and artists of tracks, for means over the tracks and their intervals.

    The artists of each genre are drawn with replacement, one fewer than there are, and the share of each genre stays as
    it is. With as many as there are, intervals of few artists would be too narrow (Rao and Wu 1988). The spread of a
    genre with one or two artists can hardly be measured, so it is drawn together with the genre that has the fewest
    other artists (collapsed strata, Wolter 2007). With one artist in all, intervals are NaN.
    """

    def __init__(self, genres: Positions, artists: NDArray[np.str_]) -> None:
        """Counts the tracks of each artist.

        Args:
            genres: genre of each track [n], as a number from 0.
            artists: name of the artist of each track, [n].
        """
        self._genres = genres
        self._artist = np.unique(artists, return_inverse=True)[1]
        self._strata = _collapse(genres, self._artist)
        self._draws: dict[int, list[tuple[int, NDArray[np.uint16]]]] = {}  # by seed
        self._few_draws: dict[int, list[AnyFloats]] = {}

    def interval(self, values: AnyFloats, seed: int = 0) -> Interval:
        """Computes the mean of values [n] over the tracks, and its 95 % interval from 2,000 draws of artists."""
        means = sum(self._drawn_mean(values, *drawn) for drawn in self._drawn(seed))
        low, high = np.quantile(means, [0.025, 0.975])
        return Interval(float(values.mean()), float(low), float(high))

    def share_interval(self, right: AnyFloats) -> Interval:
        """Computes a mean of values [n] in [0, 1], such as the share of tracks that are right, and its 95 % interval.

        Where draws have no spread, as with tracks that are all right or all wrong, or with one artist, the interval is
        Wilson's for as many independent tracks as there are effective artists.
        """
        drawn = self.interval(right)
        if drawn.low < drawn.high:
            return drawn
        artists = max(1, round(self.effective_artists()))
        return Interval(float(right.mean()), *wilson_interval(round(float(right.mean()) * artists), artists))

    def interval_of(self, statistic: Callable[[AnyFloats], float], seed: int = 0) -> Interval:
        """Computes a statistic of the tracks, and its 95 % interval from 200 draws of artists.

        Where genres are drawn together, a draw may lack one, and has no such statistic. Then there is no interval.

        Args:
            statistic: receives how often each track counts, [n].
            seed: seed of the draws.
        """
        mean, random = statistic(np.ones(len(self._genres))), np.random.default_rng(seed)
        strata, genres = np.unique(self._strata), np.unique(self._genres)
        if len(strata) < len(genres) or self._artist.max() == 0:
            return Interval(mean, math.nan, math.nan)
        low, high = np.quantile([statistic(self._draw(random)) for _ in range(_FEW_RESAMPLES)], [0.025, 0.975])
        return Interval(mean, float(low), float(high))

    def centred_interval_of(self, statistic: Callable[[AnyFloats], float], seed: int = 0) -> Interval:
        """Computes a statistic that is another one if tracks count twice, and its 95 % interval from 200 draws.

        Such as the number of different tracks among the recommendations: draws have fewer seeds, so fewer tracks. The
        interval has the width of the draws, and is moved by the difference of their mean to the statistic.

        Args:
            statistic: receives how often each track counts, [n].
            seed: seed of the draws.
        """
        value = statistic(np.ones(len(self._genres)))
        if self._artist.max() == 0:
            return Interval(value, math.nan, math.nan)
        if seed not in self._few_draws:
            random = np.random.default_rng(seed)
            self._few_draws[seed] = [self._draw(random) for _ in range(_FEW_RESAMPLES)]
        drawn = np.array([statistic(weights) for weights in self._few_draws[seed]])
        low, high = np.quantile(drawn, [0.025, 0.975]) - drawn.mean() + value
        return Interval(value, float(low), float(high))

    def effective_artists(self, genre: int | None = None) -> float:
        """Computes the number of artists with equally many tracks that would be worth as much (Kish 1965).

        Args:
            genre: the genre, or None for the sum over all genres.
        """
        if genre is None:
            return sum(map(self.effective_artists, np.unique(self._genres)))
        sizes = np.unique(self._artist[self._genres == genre], return_counts=True)[1]
        return float(sizes.sum() ** 2 / (sizes**2).sum())

    def _artists_of(self, stratum: int) -> Positions:
        artists: Positions = np.unique(self._artist[self._strata == stratum])
        return artists

    def _draw(self, random: np.random.Generator) -> AnyFloats:
        """Draws artists within strata, and returns how often each track was drawn."""
        weights = np.zeros(len(self._strata))
        for stratum in np.unique(self._strata):
            artists, inside = self._artists_of(stratum), self._strata == stratum
            drawn = np.bincount(random.choice(artists, len(artists) - 1), minlength=self._artist.max() + 1)
            weights += np.where(inside, drawn[self._artist], 0)
        return weights

    def _drawn(self, seed: int) -> list[tuple[int, NDArray[np.uint16]]]:
        """Returns for each stratum how often each of its artists is in each draw, [2,000, artists]."""
        if seed not in self._draws:
            random = np.random.default_rng(seed)
            sizes = {int(stratum): len(self._artists_of(stratum)) for stratum in np.unique(self._strata)}
            self._draws[seed] = [(stratum, _counts_of_draws(artists, random)) for stratum, artists in sizes.items()]
        return self._draws[seed]

    def _drawn_mean(self, values: AnyFloats, stratum: int, counts: NDArray[np.uint16]) -> AnyFloats:
        """Returns the mean of a stratum's values in each draw, times the share of the stratum."""
        inside = self._strata == stratum
        place = np.unique(self._artist[inside], return_inverse=True)[1]
        sums, sizes = np.bincount(place, values[inside]), np.bincount(place)
        if len(sums) == 1:
            return np.full(_RESAMPLES, math.nan)
        # At once, the counts of thousands of artists would need hundreds of megabytes as floats.
        parts = (counts[start : start + _DRAWS_AT_ONCE] for start in range(0, _RESAMPLES, _DRAWS_AT_ONCE))
        means = np.concatenate([(part @ sums) / (part @ sizes) for part in parts])
        scaled: AnyFloats = means * inside.mean()
        return scaled


def _counts_of_draws(artists: int, random: np.random.Generator) -> NDArray[np.uint16]:
    """Draws one artist fewer than there are, 2,000 times, and counts them, [2,000, artists]."""
    first = artists * np.arange(_DRAWS_AT_ONCE)[:, None]
    parts = []
    for _ in range(0, _RESAMPLES, _DRAWS_AT_ONCE):
        drawn = first + random.integers(0, artists, (_DRAWS_AT_ONCE, artists - 1))
        counts = np.bincount(drawn.ravel(), minlength=_DRAWS_AT_ONCE * artists)
        parts.append(counts.astype(np.uint16).reshape(_DRAWS_AT_ONCE, artists))
    return np.concatenate(parts)


def _collapse(genres: Positions, artist: Positions) -> Positions:
    """Joins genres until each has enough artists: the one with the fewest with the one that has the next fewest.

    Args:
        genres: genre of each track [n], as a number from 0.
        artist: artist of each track [n], as a number from 0.

    Returns:
        The stratum of each track [n], numbered as one of its genres.
    """
    strata = genres.copy()
    while True:
        sizes = {int(stratum): len(np.unique(artist[strata == stratum])) for stratum in np.unique(strata)}
        fewest, *others = sorted(sizes, key=lambda stratum: sizes[stratum])
        if sizes[fewest] >= _MIN_ARTISTS or not others:
            return strata
        strata[strata == fewest] = others[0]


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Computes the 95 % interval of a share (Wilson 1927).

    Args:
        right: number of successes, 0 to ``total``.
        total: number of trials, 1 or above.
    """
    interval = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)
