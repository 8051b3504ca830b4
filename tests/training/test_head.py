"""Training of the head of segue-accurate."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from segue.trainer.accurate.head import DISCRIMINANTS, JUDGES, NETWORKS, REGRESSION, Head, HeadPlan, train_head
from segue.trainer.accurate.head_graph import HeadGraph
from segue.trainer.accurate.musicnn import build_backbone
from segue.trainer.accurate.signatures import AccurateServingGraph
from segue.trainer.arrays import Floats
from segue.trainer.data.npz import Fields
from segue.trainer.data.tagged_track import TaggedTrack

LABELS = ("a", "b", "c")
PLAN = HeadPlan(networks=1, steps=40)


def tracks_of(counts: dict[str, int], windows: int = 10, seed: int = 0) -> list[TaggedTrack]:
    """Tracks of genres, each with five tags of its own that are mostly higher than the others."""
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
def head() -> Head:
    """A head that was trained on three genres of unequal counts."""
    return train_head(tracks_of({"a": 12, "b": 4, "c": 7}), LABELS, PLAN)


def decide(
    head: Head,
    tags: Floats,
    mask: NDArray[np.bool_] | None = None,
    judges: tuple[str, ...] = JUDGES,
    temperature: float = 1.0,
) -> dict[str, Floats]:
    """Predicts clips from their tags [clips, 5, 50]."""
    mask = np.ones(tags.shape[:2], bool) if mask is None else mask
    served = HeadGraph(head, temperature, judges)(tf.constant(tags), tf.constant(mask))
    return {name: value.numpy() for name, value in served.items()}


def served_tags(tracks: list[TaggedTrack]) -> Floats:
    """The tags of five windows of each track."""
    return np.stack([track.spread(5).tags for track in tracks])


def test_genres_of_unequal_counts_are_classified(head: Head) -> None:
    """Unseen tracks are right, those of the rare genre too, and most of their windows alone."""
    tracks = tracks_of({"a": 10, "b": 10, "c": 10}, seed=1)
    outputs = decide(head, served_tags(tracks))
    genres = np.array([LABELS.index(track.genre) for track in tracks])
    right = outputs["posterior"].argmax(1) == genres
    assert [1.0, 1.0, 1.0] == [right[genres == genre].mean() for genre in range(3)]
    assert (outputs["window_posterior"].argmax(2) == genres[:, None]).mean() > 0.9


def test_the_same_seed_gives_the_same_head() -> None:
    """It is the same to the last bit; another seed gives another head."""
    tracks, tags = tracks_of({"a": 3, "b": 3, "c": 3}), served_tags(tracks_of({"a": 1, "b": 1, "c": 1}, seed=1))
    plans = [HeadPlan(seed=seed, networks=1, steps=3) for seed in (1, 1, 2)]
    one, same, other = (decide(train_head(tracks, LABELS, plan), tags)["posterior"] for plan in plans)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("windows", [1, 3])
def test_two_genres_and_short_tracks(windows: int) -> None:
    """Two genres are classified, also from tracks with fewer windows than are served."""
    tracks = tracks_of({"a": 2, "b": 6}, windows)
    trained = train_head(tracks, ("a", "b"), PLAN)
    tags, mask = np.full((8, 5, 50), np.nan, np.float32), np.zeros((8, 5), bool)
    for row, track in enumerate(tracks):
        tags[row, :windows], mask[row, :windows] = track.tags, True
    posterior = decide(trained, tags, mask)["posterior"]
    assert [0] * 2 + [1] * 6 == posterior.argmax(1).tolist()


@pytest.mark.parametrize("absent", [0.0, 0.7, np.nan, np.inf])
def test_absent_windows_do_not_matter(head: Head, absent: float) -> None:
    """The content of absent windows, even NaN, does not change a bit of the outputs."""
    tags, mask = served_tags(tracks_of({"a": 1, "b": 1}, seed=3)), np.zeros((2, 5), bool)
    mask[:, :2] = True
    expected = decide(head, np.where(mask[..., None], tags, 0.5).astype(np.float32), mask)
    actual = decide(head, np.where(mask[..., None], tags, absent).astype(np.float32), mask)
    for name in expected:
        assert np.array_equal(expected[name], actual[name]), name
    assert (actual["window_posterior"][:, 2:] == 0).all()
    assert not np.allclose(actual["novelty"], decide(head, tags)["novelty"], atol=1e-4)


def test_clips_of_a_batch_are_independent(head: Head) -> None:
    """A clip has the same outputs alone and in any batch."""
    tags = served_tags(tracks_of({"a": 4, "b": 4, "c": 4}, seed=4))
    together = decide(head, tags)
    for row in range(len(tags)):
        alone = decide(head, tags[row : row + 1])
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][row], rtol=1e-6, atol=1e-5)


def test_outputs_are_those_of_the_contract(head: Head) -> None:
    """Posteriors of clips and windows sum to 1, also at the ends of the tags' range."""
    random = np.random.default_rng(5).random((4, 5, 50), np.float32)
    tags = np.concatenate([random, np.zeros((1, 5, 50)), np.ones((1, 5, 50))]).astype(np.float32)
    outputs = decide(head, tags)
    np.testing.assert_allclose(1, outputs["posterior"].sum(1), atol=1e-5)
    np.testing.assert_allclose(1, outputs["window_posterior"].sum(2), atol=1e-5)
    assert ((6, 3), (6, 5, 3)) == (outputs["posterior"].shape, outputs["window_posterior"].shape)


def test_the_embedding_is_the_mean_of_the_layer(head: Head, random_weights: Fields) -> None:
    """Absent windows, even of NaN, have no part in it, and neither have the tags."""
    graph = AccurateServingGraph(build_backbone(random_weights.__getitem__), head, temperature=1.0)
    features = np.random.default_rng(6).random((2, 5, 250), np.float32)
    mask = np.array([[True] * 5, [True, True, False, False, False]])
    features[1, 2:] = np.nan
    actual = graph.decide(tf.constant(features), tf.constant(mask))["embedding"].numpy()
    for row, windows in enumerate((features[0], features[1, :2])):
        mean = windows[:, 50:].mean(0)
        np.testing.assert_allclose(mean / np.linalg.norm(mean), actual[row], atol=1e-6)


def test_the_temperature_flattens_the_posterior(head: Head) -> None:
    """It divides the log-posterior."""
    tags = served_tags(tracks_of({"a": 2, "b": 2}, seed=6))
    plain, tempered = (decide(head, tags, temperature=temperature)["posterior"] for temperature in (1.0, 2.0))
    np.testing.assert_allclose(np.sqrt(plain) / np.sqrt(plain).sum(1, keepdims=True), tempered, atol=1e-5)


def test_judges_have_equal_shares(head: Head) -> None:
    """The posterior of all judges is the normalised geometric mean of theirs, for clips and for windows."""
    tags = served_tags(tracks_of({"a": 2, "b": 2, "c": 2}, seed=7))
    alone = [decide(head, tags, judges=(judge,)) for judge in (DISCRIMINANTS, NETWORKS, REGRESSION)]
    for name in ("posterior", "window_posterior"):
        mean = np.exp(np.mean([np.log(judge[name]) for judge in alone], 0))
        np.testing.assert_allclose(mean / mean.sum(-1, keepdims=True), decide(head, tags)[name], atol=1e-5)


def test_the_regression_gives_every_genre_the_same_weight() -> None:
    """Tracks that say nothing of their genre are not all of the one with most tracks."""
    random = np.random.default_rng(0)
    tracks = [
        TaggedTrack(f"{genre}.{number}", genre, random.random((1, 50), np.float32))
        for genre, count in (("a", 900), ("b", 100))
        for number in range(count)
    ]
    unseen = random.random((200, 5, 50), np.float32)
    posterior = decide(train_head(tracks, ("a", "b"), HeadPlan(networks=1, steps=1)), unseen, judges=(REGRESSION,))
    assert 0.35 <= posterior["posterior"][:, 1].mean() <= 0.65
