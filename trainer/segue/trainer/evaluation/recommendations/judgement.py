"""The result of judging recommendations."""

from __future__ import annotations

from dataclasses import dataclass

from segue.trainer.evaluation.artists import Interval

LENGTH = 10
"""Number of tracks in a judged list."""


@dataclass(frozen=True)
class WayFigures:
    """The figures of a way to recommend.

    Attributes:
        name: name of the way.
        is_default: True for a default of Recommend.
        figures: the figures by name, each with its interval; NaN where one cannot be measured. They are precision_at_5
            and precision_at_10 (shares of tracks of the seed's genre), precision_of_others (the latter among tracks by
            other artists than the seed), cost_at_10 (the loss of precision_at_10 against the nearest tracks),
            possible_at_10 (the most that the limits allow), share_of_possible and its cost_of_possible,
            same_artist_at_10, artists_in_10, copies_in_10, diversity_at_10, novelty_at_10, coverage and
            occurrence_skew.
    """

    name: str
    is_default: bool
    figures: dict[str, Interval]


@dataclass(frozen=True)
class JudgedRecommendations:
    """The judgement of all ways on some tracks.

    Attributes:
        seeds: number of seeds.
        tracks: number of tracks in the catalogue.
        is_leave_one_out: the seeds are the catalogue, and no seed is recommended to itself.
        ways: the figures of each way: first the nearest tracks, last random ones.
        reasons: why further ways are not judged.
    """

    seeds: int
    tracks: int
    is_leave_one_out: bool
    ways: tuple[WayFigures, ...]
    reasons: tuple[str, ...]
