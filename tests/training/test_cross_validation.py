"""Cross-validation over artists, with small heads."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.trainer.accurate.cross_validation import cross_validate
from segue.trainer.accurate.head import Head, HeadPlan
from segue.trainer.accurate.tags import TaggedTrack
from segue.trainer.arrays import Floats
from segue.trainer.errors import DataUnusable
from segue.trainer.splits.split import gtzan_artists

PLAN = HeadPlan(networks=1, steps=2)


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


def predict_by_discriminants(head: Head, tags: Floats, mask: NDArray[np.bool_]) -> dict[str, Floats]:
    """Predicts by the discriminants of a head, with the mean logits of the tags as embedding."""
    mean = np.stack([head.scale(clip[present]).mean(0) for clip, present in zip(tags, mask, strict=True)])
    scores = np.exp(mean @ head.weights + head.bias)
    posterior = scores / scores.sum(1, keepdims=True)
    windows = np.repeat(posterior[:, None], tags.shape[1], 1)
    return {"posterior": posterior, "embedding": mean, "window_posterior": windows}


def of_one_artist(genre: str) -> list[str]:
    """The tracks of the artist with the most tracks in one of GTZAN's genres."""
    artists = {track: artist for track, artist in gtzan_artists().items() if artist and track.startswith(f"{genre}.")}
    most_frequent = max(set(artists.values()), key=list(artists.values()).count)
    return sorted(track for track, artist in artists.items() if artist == most_frequent)


def test_every_track_is_predicted_once_from_its_own_windows() -> None:
    """Predictions are in the order of the tracks, and genres with clearly different tags are all right."""
    tracks = tagged([f"{genre}.x{number}" for number in range(8) for genre in "ab"])
    folds: list[int] = []
    result = cross_validate(tracks, ("a", "b"), PLAN, predict_by_discriminants, folds.append)
    assert [0, 1] * 8 == result.genres.tolist()
    assert [0, 1] * 8 == result.posterior.argmax(1).tolist() == result.linear.argmax(1).tolist()
    assert [0, 1, 2, 3, 4] == folds
    assert [(3, 2)] * 16 == [windows.shape for windows in result.window_posteriors]
    assert (16,) == result.precision.shape == result.precision_of_tags.shape


def test_no_track_of_the_seeds_artist_is_recommended() -> None:
    """The seeds of an artist with most tracks of a genre get only the four tracks of other artists."""
    blues = of_one_artist("blues")[:12]
    others = [f"rock.x{number}" for number in range(12)]
    alone = [f"blues.x{number}" for number in range(4)]
    tracks = tagged([*blues, *alone, *others])
    result = cross_validate(tracks, ("blues", "rock"), PLAN, predict_by_discriminants)
    assert (result.precision[:12] <= 0.4).all()
    assert (result.precision_of_tags[:12] <= 0.4).all()
    assert (result.precision[12:16] >= 0.9).all()


def test_too_few_tracks_of_other_artists_have_no_precision() -> None:
    """Ten recommendations need ten tracks, and those of the seed's own artist do not count."""
    result = cross_validate(
        tagged([f"{genre}.x{number}" for number in range(5) for genre in "ab"]),
        ("a", "b"),
        PLAN,
        predict_by_discriminants,
    )
    assert np.isnan(result.precision).all()
    assert np.isnan(result.precision_of_tags).all()


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
        cross_validate(tagged(names), labels, PLAN, predict_by_discriminants)
    assert "Give it tracks of more artists" in str(refused.value)


def test_two_artists_a_genre_are_too_few() -> None:
    """Four artists cannot fill five folds."""
    names = [name for genre in ("blues", "reggae") for name in of_one_artist(genre)[:10]] + ["blues.x0", "reggae.x0"]
    with pytest.raises(DataUnusable, match=r"too few artists for 5 folds\. Give it tracks of more artists"):
        cross_validate(tagged(names), ("blues", "reggae"), PLAN, predict_by_discriminants)
