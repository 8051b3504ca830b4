"""Cross-validation over artists, with small heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.trainer.accurate.cross_validation import TagArrays, cross_validate
from segue.trainer.accurate.figures import BASELINE, baseline_figures
from segue.trainer.accurate.head import DISCRIMINANTS, JUDGES, REGRESSION, HeadPlan
from segue.trainer.cross_validation.scores import artist_figures
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.errors import DataUnusable
from segue.trainer.splits.split import gtzan_artists

PLAN = HeadPlan(networks=1, steps=2)
DESIGN = (DISCRIMINANTS,)


def tagged(names: list[str]) -> list[TaggedTrack]:
    """Tracks of three windows; each genre has its own tags."""
    random, genres = np.random.default_rng(0), sorted({name.split(".")[0] for name in names})
    tracks = []
    for name in names:
        tags = 0.3 * random.random((3, 50), np.float32)
        own = 5 * genres.index(name.split(".")[0])
        tags[:, own : own + 5] += 0.5
        tracks.append(TaggedTrack(name, name.split(".")[0], tags))
    return tracks


def of_one_artist(genre: str) -> list[str]:
    """The tracks of the artist with the most tracks in one of GTZAN's genres."""
    artists = {track: artist for track, artist in gtzan_artists().items() if artist and track.startswith(f"{genre}.")}
    most_frequent = max(set(artists.values()), key=list(artists.values()).count)
    return sorted(track for track, artist in artists.items() if artist == most_frequent)


def test_every_track_is_predicted_once_from_its_own_windows() -> None:
    """Predictions are in the order of the tracks, and genres with clearly different tags are all right."""
    tracks = tagged([f"{genre}.x{number}" for number in range(8) for genre in "ab"])
    folds: list[int] = []
    results = cross_validate(tracks, ("a", "b"), PLAN, (JUDGES, DESIGN, (REGRESSION,)), folds.append)
    assert [0, 1, 2, 3, 4] == folds
    for result in results.values():
        assert [0, 1] * 8 == result.genres.tolist() == result.posterior.argmax(1).tolist()
        assert [(3, 2)] * 16 == [windows.shape for windows in result.window_posteriors]
        assert (16,) == result.novelty.shape
    one, two, three = (result.posterior for result in results.values())
    assert not np.allclose(one, two)
    assert not np.allclose(two, three)


def test_heads_are_evaluated_with_the_windows_that_are_served() -> None:
    """A track is predicted from as many of its windows as the plan has."""
    tracks = tagged([f"{genre}.x{number}" for number in range(8) for genre in "ab"])
    result = cross_validate(tracks, ("a", "b"), replace(PLAN, windows=2), (DESIGN,))[DESIGN]
    assert [(2, 2)] * 16 == [windows.shape for windows in result.window_posteriors]
    assert [0, 1] * 8 == result.posterior.argmax(1).tolist()


def test_no_track_of_the_seeds_artist_is_recommended() -> None:
    """Precision is that of the layer, and tracks of the seed's artist are never recommended."""
    blues = of_one_artist("blues")[:12]
    others = [f"rock.x{number}" for number in range(12)]
    alone = [f"blues.x{number}" for number in range(4)]
    figures = figures_of(with_layer([*blues, *alone, *others]), ("blues", "rock"))
    # Of ten, the twelve tracks of the artist get the four of others, those get ten, and so do the tracks of rock.
    expected = (12 * 0.4 + 4 * 1 + 12 * 1) / 28
    assert pytest.approx(expected) == figures["precision_at_10_other_artists"]
    assert figures["precision_at_10_of_mean_tags"] < expected
    assert figures["precision_at_10_other_artists_low"] <= expected <= figures["precision_at_10_other_artists_high"]


def test_too_few_tracks_of_other_artists_have_no_precision() -> None:
    """Ten recommendations need ten tracks, and those of the seed's own artist do not count."""
    tracks = with_layer([f"{genre}.x{number}" for number in range(5) for genre in "ab"])
    assert not [name for name in figures_of(tracks, ("a", "b")) if "precision" in name]


def test_tags_alone_have_no_precision() -> None:
    """The embedding is another layer, so the precision of recommendations is not known without it."""
    tracks = tagged([f"{genre}.x{number}" for number in range(8) for genre in "ab"])
    assert not [name for name in figures_of(tracks, ("a", "b")) if "precision" in name]


def figures_of(tracks: list[TaggedTrack], labels: tuple[str, ...]) -> dict[str, float]:
    """The figures of the baseline and of its predictions."""
    arrays, validated = TagArrays.of(tracks, labels, 5), cross_validate(tracks, labels, PLAN, (BASELINE,))[BASELINE]
    return artist_figures(arrays.sample, validated) | baseline_figures(arrays, validated)


def with_layer(names: list[str]) -> list[TaggedTrack]:
    """Tracks with tags at random, and with a layer that has a direction for each genre."""
    random, tracks, genres = np.random.default_rng(1), [], sorted({name.split(".")[0] for name in names})
    for name in names:
        genre = name.split(".")[0]
        layer = 0.1 * random.random((3, 200), np.float32)
        layer[:, genres.index(genre)] += 5
        tracks.append(TaggedTrack(name, genre, random.random((3, 50), np.float32), layer))
    return tracks


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [*of_one_artist("blues")[:8], *(f"rock.x{number}" for number in range(8))],
            "All tracks of blues are of one artist",
        ),
        ([f"{genre}.x0" for genre in "abcdef"], "All tracks of a are of one artist"),
        ([f"{genre}.x{number}" for number in range(2) for genre in "abcdef"], "fewer than 5 tracks"),
        ([*(f"a.x{number}" for number in range(9)), "b.x0", "b.x1"], "too few tracks of b to train on"),
        ([f"{genre}.x{number}" for number in range(2) for genre in "ab"], "fewer than 5 tracks"),
    ],
    ids=["one artist", "one track a genre", "two tracks a genre", "two tracks of one", "four tracks"],
)
def test_too_few_artists_are_refused(names: list[str], message: str) -> None:
    """The message names the genre and the remedy, and no library prints a warning."""
    labels = tuple(sorted({name.split(".")[0] for name in names}))
    with pytest.raises(DataUnusable, match=message) as refused:
        cross_validate(tagged(names), labels, PLAN)
    assert "Give it clips of more artists" in str(refused.value)


def test_two_artists_a_genre_are_too_few() -> None:
    """Four artists cannot fill five folds."""
    names = [name for genre in ("blues", "reggae") for name in of_one_artist(genre)[:10]] + ["blues.x0", "reggae.x0"]
    with pytest.raises(DataUnusable, match=r"too few artists for 5 folds\. Give it clips of more artists"):
        cross_validate(tagged(names), ("blues", "reggae"), PLAN)
