from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from segue.trainer.accurate.head import MIN_TAG, Head, HeadPlan, logits_of, train_head
from segue.trainer.accurate.musicnn import FEATURES
from segue.trainer.accurate.signatures import AccurateServingGraph
from segue.trainer.accurate.tags import TaggedTrack
from segue.trainer.arrays import Floats

LABELS = ("a", "b", "c")
PLAN = HeadPlan(networks=1, steps=40)


def tracks_of(counts: dict[str, int], windows: int = 10, seed: int = 0) -> list[TaggedTrack]:
    """Tracks of genres, each with five tags of its own that are mostly likelier than the others."""
    random = np.random.default_rng(seed)
    tracks = []
    for genre, count in counts.items():
        for number in range(count):
            tags = 0.3 * random.random((windows, 50), np.float32)
            own = 5 * "abcdefgh".index(genre)
            tags[:, own : own + 5] += 0.2 + 0.4 * random.random((windows, 5), np.float32)
            tracks.append(TaggedTrack(f"{genre}.{number:05}", genre, tags))
    return tracks


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    """A network that stands in MusiCNN's place: what decides never asks it."""
    windows = keras.Input((FEATURES.n_mels, FEATURES.columns))
    return keras.Model(windows, keras.ops.sigmoid(windows[:, :50, 0]))


@pytest.fixture(scope="module")
def head() -> Head:
    """What is learnt from three genres of unequal counts."""
    return train_head(tracks_of({"a": 12, "b": 4, "c": 7}), LABELS, PLAN)


def decide(backbone: keras.Model, head: Head, tags: Floats, mask: NDArray[np.bool_] | None = None) -> dict[str, Floats]:
    """What is said of clips by their tags [clips, 5, 50]."""
    mask = np.ones(tags.shape[:2], bool) if mask is None else mask
    served = AccurateServingGraph(backbone, head, 1.0).decide(features=tags, mask=mask)
    return {name: value.numpy() for name, value in served.items()}


def heard(tracks: list[TaggedTrack]) -> Floats:
    """The tags of five windows of each."""
    return np.stack([track.spread(5) for track in tracks])


def test_genres_of_unequal_counts_are_learnt(backbone: keras.Model, head: Head) -> None:
    """Other tracks of the genres are told apart, those of the rare one too, and by each window alone."""
    asked = tracks_of({"a": 10, "b": 10, "c": 10}, seed=1)
    said = decide(backbone, head, heard(asked))
    genres = np.array([LABELS.index(track.genre) for track in asked])
    assert [1.0, 1.0, 1.0] == [(said["posterior"].argmax(1) == genres)[genres == genre].mean() for genre in range(3)]
    assert (said["window_posterior"].argmax(2) == genres[:, None]).mean() > 0.9


def test_the_same_seed_gives_the_same_head(backbone: keras.Model) -> None:
    """To the last bit; another seed gives another."""
    tracks, asked = tracks_of({"a": 3, "b": 3, "c": 3}), heard(tracks_of({"a": 1, "b": 1, "c": 1}, seed=1))
    plans = [HeadPlan(seed=seed, networks=1, steps=3) for seed in (1, 1, 2)]
    one, same, other = (decide(backbone, train_head(tracks, LABELS, plan), asked)["posterior"] for plan in plans)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("windows", [1, 3])
def test_two_genres_and_short_tracks(backbone: keras.Model, windows: int) -> None:
    """Two genres are told apart, also by tracks of fewer windows than are heard in service."""
    tracks = tracks_of({"a": 2, "b": 6}, windows)
    trained = train_head(tracks, ("a", "b"), PLAN)
    tags, mask = np.full((8, 5, 50), np.nan, np.float32), np.zeros((8, 5), bool)
    for row, track in enumerate(tracks):
        tags[row, :windows], mask[row, :windows] = track.tags, True
    posterior = decide(backbone, trained, tags, mask)["posterior"]
    assert [0] * 2 + [1] * 6 == posterior.argmax(1).tolist()


def test_tags_at_the_ends_of_their_range_have_logits() -> None:
    """0 and 1 are cut off, symmetrically."""
    logits = logits_of(np.array([0, MIN_TAG, 0.5, 1 - MIN_TAG, 1], np.float32))
    assert np.isfinite(logits).all()
    np.testing.assert_allclose([-6.907, -6.907, 0, 6.907, 6.907], logits, atol=1e-3)


@pytest.mark.parametrize("absent", [0.0, 0.7, np.nan, np.inf])
def test_absent_windows_do_not_matter(backbone: keras.Model, head: Head, absent: float) -> None:
    """Whatever stands in them, even NaN, a clip of two windows is heard as one of two."""
    tags, mask = heard(tracks_of({"a": 1, "b": 1}, seed=3)), np.zeros((2, 5), bool)
    mask[:, :2] = True
    expected = decide(backbone, head, np.where(mask[..., None], tags, 0.5).astype(np.float32), mask)
    actual = decide(backbone, head, np.where(mask[..., None], tags, absent).astype(np.float32), mask)
    for name in expected:
        assert np.array_equal(expected[name], actual[name]), name
    assert (actual["window_posterior"][:, 2:] == 0).all()
    assert not np.allclose(actual["embedding"], decide(backbone, head, tags)["embedding"], atol=1e-4)


def test_neighbours_in_a_batch_do_not_matter(backbone: keras.Model, head: Head) -> None:
    """A clip is judged alike alone and among others."""
    tags = heard(tracks_of({"a": 4, "b": 4, "c": 4}, seed=4))
    together = decide(backbone, head, tags)
    for row in range(len(tags)):
        alone = decide(backbone, head, tags[row : row + 1])
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][row], atol=1e-5)


def test_answers_are_a_posterior_and_a_direction(backbone: keras.Model, head: Head) -> None:
    """Scores sum to 1, of clips and of windows; the embedding has length 1; also at the ends of the tags' range."""
    random = np.random.default_rng(5).random((4, 5, 50), np.float32)
    said = decide(
        backbone, head, np.concatenate([random, np.zeros((1, 5, 50)), np.ones((1, 5, 50))]).astype(np.float32)
    )
    np.testing.assert_allclose(1, said["posterior"].sum(1), atol=1e-5)
    np.testing.assert_allclose(1, said["window_posterior"].sum(2), atol=1e-5)
    np.testing.assert_allclose(1, np.linalg.norm(said["embedding"], axis=1), atol=1e-5)
    assert (6, 3 + 50) == said["embedding"].shape


def test_the_temperature_cools(backbone: keras.Model, head: Head) -> None:
    """The log-posterior is divided by it."""
    tags, mask = heard(tracks_of({"a": 2, "b": 2}, seed=6)), np.ones((4, 5), bool)
    plain, cool = (
        AccurateServingGraph(backbone, head, temperature).decide(features=tags, mask=mask)["posterior"].numpy()
        for temperature in (1.0, 2.0)
    )
    np.testing.assert_allclose(np.sqrt(plain) / np.sqrt(plain).sum(1, keepdims=True), cool, atol=1e-5)
