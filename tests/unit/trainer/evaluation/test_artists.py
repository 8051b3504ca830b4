from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from segue.trainer.evaluation.artists import ArtistSample, Interval, wilson_interval
from segue.trainer.evaluation.known_artists import sample_tracks
from segue.trainer.splits.split import gtzan_artists


def sample(*sizes: int) -> ArtistSample:
    """One genre, and artists with these numbers of tracks."""
    artists = np.repeat([f"artist {number}" for number in range(len(sizes))], sizes)
    return ArtistSample(np.zeros(sum(sizes), int), artists)


def test_effective_artists() -> None:
    """Equal artists count as they are; one artist with most of the tracks is worth little more than one."""
    assert pytest.approx(4) == sample(5, 5, 5, 5).effective_artists(0)
    assert pytest.approx(1) == sample(30).effective_artists(0)
    assert 1 < sample(30, 1, 1, 1).effective_artists(0) < 1.3


def test_artists_make_the_interval_wider() -> None:
    """Tracks of ten artists that are right or wrong together have a wider interval than a hundred artists."""
    values = np.repeat(np.arange(10) % 2, 10).astype(float)
    ten, hundred = sample(*[10] * 10).interval(values), sample(*[1] * 100).interval(values)
    assert 0.5 == ten.mean == hundred.mean
    assert ten.high - ten.low > 2.5 * (hundred.high - hundred.low)


@pytest.mark.parametrize(("artists", "least"), [(3, 0.85), (10, 0.9)])
def test_intervals_of_few_artists(artists: int, least: float) -> None:
    """The interval of the mean of ten genres covers the true mean in about 95 % of trials, whatever their artists."""
    random, covered = np.random.default_rng(5), 0
    genres = np.repeat(np.arange(10), 4 * artists)
    names = np.repeat([f"artist {number}" for number in range(10 * artists)], 4)
    for trial in range(60):
        values = np.repeat(random.standard_normal(10 * artists), 4)
        interval = ArtistSample(genres, names).interval(values, trial)
        covered += interval.low <= 0 <= interval.high
    assert covered / 60 >= least


def test_a_genre_with_one_artist() -> None:
    """Its spread cannot be measured, so that there is a mean without an interval."""
    one, values = sample(4), np.array([0.0, 1.0, 1.0, 1.0])
    weighted = one.interval_of(lambda weights: float((values * weights).mean()))
    assert "0.750" == str(one.interval(values)) == str(weighted)


def test_all_right() -> None:
    """The interval of a share whose draws have no spread is that of as many tracks as there are artists."""
    interval = sample(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1).share_interval(np.ones(12))
    assert pytest.approx([1, 0.757, 1], abs=0.001) == list(interval)
    assert sample(6, 6).share_interval(np.ones(12)).low < 0.5


def test_the_share_of_a_genre_is_fixed() -> None:
    """A mean of genres whose tracks are all right or all wrong does not depend on the draw."""
    genres = np.array([0] * 10 + [1] * 30)
    artists = np.array([f"artist {number // 2}" for number in range(40)])
    assert Interval(0.25, 0.25, 0.25) == ArtistSample(genres, artists).interval(1.0 - genres)


def test_an_artist_of_two_genres_counts_in_each() -> None:
    """Its tracks of one genre are drawn without those of the other."""
    both = ArtistSample(np.array([0, 0, 1, 1]), np.array(["a", "b", "a", "c"]))
    assert 2 == both.effective_artists(0) == both.effective_artists(1)


def test_unmeasured_values() -> None:
    """The mean of values that are missing is shown as such."""
    assert "not measured" == str(sample(2, 2).interval(np.full(4, np.nan)))
    assert "+0.500 [+0.500, +0.500]" == f"{Interval(0.5, 0.5, 0.5):+.3f}"


@pytest.mark.parametrize(("interval", "excludes"), [((0.1, 0.2), True), ((-0.2, -0.1), True), ((-0.1, 0.1), False)])
def test_zero_is_excluded(interval: tuple[float, float], *, excludes: bool) -> None:
    """An interval on one side of 0 excludes it."""
    assert excludes == Interval(0.0, *interval).excludes_zero


def test_chunks_of_one_artist_are_drawn_together() -> None:
    """Two hundred chunks of twenty tracks of unknown artists have the interval of twenty values."""
    values = np.repeat(np.arange(20) % 2, 10).astype(float)
    chunks = [f"a.{number // 10:05}#{number % 10 * 3:02}s" for number in range(200)]
    tracks, genres = chunks[::10], np.zeros(200, int)
    whole = sample_tracks(tracks, genres[::10]).interval(values[::10])
    assert pytest.approx(whole, abs=1e-9) == sample_tracks(chunks, genres).interval(values)
    apart = sample_tracks([f"b.{number}" for number in range(200)], genres).interval(values)
    assert whole.low < apart.low


def test_tracks_of_one_of_gtzan_s_artists_are_drawn_together() -> None:
    """The first reggae tracks are Bob Marley's."""
    marley = [track for track, artist in gtzan_artists().items() if artist == "Bob Marley"][:20]
    assert 1 == sample_tracks(marley, np.zeros(20, int)).effective_artists()


def test_a_genre_with_one_artist_is_joined_with_another() -> None:
    """Its tracks are drawn with those of the genre with the fewest other artists, so that there is an interval."""
    genres = np.repeat([0, 1, 2], [3, 4, 8])
    artists = np.repeat(["a", "b", "c", *"defghijk"], [3, 2, 2, *[1] * 8])
    values = np.array([1.0] * 3 + [0.0] * 4 + [1.0] * 8)
    joined = ArtistSample(genres, artists).interval(values)
    two = ArtistSample(np.repeat([0, 1], [7, 8]), artists).interval(values)
    assert two == joined
    assert joined.low < joined.mean < joined.high


@pytest.mark.parametrize(
    ("sizes", "right"),
    [((10, 10), [1.0] * 10 + [0.0] * 10), ((3, 3, 3), [1.0] * 6 + [0.0] * 3)],
)
def test_a_share_whose_draws_have_no_spread(sizes: tuple[int, ...], right: list[float]) -> None:
    """A genre that is all right and one that is all wrong give the same mean in each draw."""
    genres = np.repeat(np.arange(len(sizes)), sizes)
    artists = np.array([f"artist {number}" for number in range(len(genres))])
    share = ArtistSample(genres, artists).share_interval(np.array(right))
    assert share.low < share.mean < share.high


def test_a_statistic_of_each_genre_needs_two_artists_in_each() -> None:
    """A draw without a genre has no such statistic, so there is no interval and no warning."""
    genres, artists = np.array([0, 0, 1, 1]), np.array(["a", "a", "b", "c"])
    assert np.isnan(ArtistSample(genres, artists).interval_of(lambda weights: float(weights.sum())).low)


def test_a_statistic_of_genres_that_are_drawn_together_has_no_interval() -> None:
    """A draw of two genres of two artists each may lack one of them, so that the statistic is not a number."""
    genres, artists = np.repeat([0, 1], 4), np.repeat(["a", "b", "c", "d"], 2)
    joined = ArtistSample(genres, artists)
    area = joined.interval_of(lambda weights: float(roc_auc_score(genres, genres, sample_weight=weights)))
    assert 1 == area.mean
    assert np.isnan([area.low, area.high]).all()
    assert np.isnan(sample(3).interval_of(lambda weights: float(weights.mean())).low)


def test_one_artist_in_all() -> None:
    """The share has the interval of one track."""
    right = np.array([0.0, 1.0, 1.0])
    assert pytest.approx([2 / 3, *wilson_interval(1, 1)]) == list(sample(3).share_interval(right))


def test_an_interval_of_a_statistic_that_counts_different_tracks() -> None:
    """Draws have fewer different tracks than there are, and the interval is around the number of all."""
    interval = sample(*[2] * 20).centred_interval_of(lambda weights: float(np.count_nonzero(weights)))
    assert 40 == interval.mean
    assert 32 < interval.low < 40 < interval.high < 47
    assert np.isnan(sample(5).centred_interval_of(np.sum).low)
