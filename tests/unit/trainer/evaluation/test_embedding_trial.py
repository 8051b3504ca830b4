"""The arithmetic of the trial of embeddings; ``python -m tests.corpus.embeddings`` runs it on real clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from segue.trainer.arrays import Floats
from segue.trainer.evaluation.artists import Interval
from tests.corpus.embeddings.candidates import (
    Candidate,
    Embed,
    HeadOutput,
    candidates,
    centred,
    fit_whitening,
    joined,
    plain,
    whitened,
)
from tests.corpus.embeddings.clips import FMA, Clip, fma_clips
from tests.corpus.embeddings.layers import NORMALISED, PENULTIMATE, POOLED, TAGS, Layers
from tests.corpus.embeddings.scores import (
    ARTIST_5,
    ARTIST_FIRST,
    GENRE_5,
    GENRE_10,
    OVERLAP,
    OWN_FIRST,
    Relations,
    capped_precision,
    overlaps,
    score,
    verdict,
)
from tests.corpus.embeddings.similarities import FOLDS, Head, artist_folds, similarities
from tests.corpus.embeddings.trial import Trial

NO_HEAD = HeadOutput(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32))


def made_up_layers(values: Floats) -> Layers:
    """Returns clips whose penultimate layer has these values [n, w, width], all present."""
    return Layers({PENULTIMATE: values.astype(np.float32)}, np.ones(values.shape[:2], bool))


def made_up_clips(count: int, artists: int) -> list[Clip]:
    """Returns clips of two genres by some artists."""
    return [Clip(Path(f"{row}"), "ab"[row % artists % 2], f"artist {row % artists}", FMA) for row in range(count)]


def noise(*shape: int, seed: int = 0) -> Floats:
    """Returns normal noise."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_absent_windows_do_not_count() -> None:
    """The mean of a layer is that of the windows that are present."""
    layers = Layers({PENULTIMATE: np.array([[[3, 0], [5, 8], [0, 0]]], np.float32)}, np.array([[True, True, False]]))
    np.testing.assert_allclose([[4, 4]], layers.mean(PENULTIMATE))
    np.testing.assert_allclose([[0.5**0.5, 0.5**0.5]], plain(PENULTIMATE)(layers)(layers, NO_HEAD))


def test_centre_is_that_of_other_clips() -> None:
    """The centre is the mean of the clips that an embedding is fitted on, whatever is embedded later."""
    others = made_up_layers(np.array([[[1, 1]], [[3, 1]]]))
    embed = centred(PENULTIMATE)(others)
    np.testing.assert_allclose([[0, 1], [-1, 0]], embed(made_up_layers(np.array([[[2, 9]], [[1, 1]]])), NO_HEAD))


def test_whitened_windows_are_uncorrelated() -> None:
    """With many windows, the components have the variance 1 and no correlation."""
    windows = noise(20_000, 4) @ noise(4, 4, seed=1) + 7
    white = (windows - windows.mean(0)) @ fit_whitening(windows, 3)
    np.testing.assert_allclose(np.eye(3), np.cov(white.T), atol=0.02)


def test_whitening_of_few_windows_is_shrunk() -> None:
    """With fewer windows than numbers, small variances are not blown up."""
    windows = noise(40, 200)
    assert np.linalg.norm(fit_whitening(windows, 30), axis=0).max() < 2


def test_whitened_embedding_has_its_width() -> None:
    """An embedding that is reduced has as many numbers as its name says, and the length 1."""
    vectors = whitened(PENULTIMATE, 8)(made_up_layers(noise(10, 5, 20)))(made_up_layers(noise(3, 5, 20)), NO_HEAD)
    assert (3, 8) == vectors.shape
    np.testing.assert_allclose(1, np.linalg.norm(vectors, axis=1), rtol=1e-5)


def test_posterior_is_joined_with_a_weight() -> None:
    """The cosine of joined embeddings is that of the posteriors and 0.49 times that of the rest, over 1.49."""
    layers = made_up_layers(np.array([[[1, 0]], [[0, 1]]]))
    head = HeadOutput(np.array([[0.5, 0.5], [0.5, 0.5]], np.float32), NO_HEAD.logits)
    vectors = joined(plain(PENULTIMATE))(layers)(layers, head)
    assert pytest.approx(1 / 1.49) == vectors[0] @ vectors[1]


def test_widths_of_candidates_are_true() -> None:
    """Each candidate has as many numbers as the tables say."""
    values = {TAGS: noise(30, 5, 50), PENULTIMATE: noise(30, 5, 200), POOLED: noise(30, 5, 1_506)}
    layers = Layers({**values, NORMALISED: values[POOLED]}, np.ones((30, 5), bool))
    head = HeadOutput(np.full((30, 10), 0.1, np.float32), noise(30, 50))
    for name, width, fit in candidates(10):
        assert (30, width) == fit(layers)(layers, head).shape, name


def test_precision_is_capped_by_what_there_is() -> None:
    """Hits count as a share of k, or of what can be found; disallowed clips are skipped."""
    cosines = np.array([[0.9, 0.8, 0.7, 0.6, 0.5]])
    right = np.array([[True, False, True, False, True]])
    allowed = np.array([[False, True, True, True, True]])
    assert [0.5] == capped_precision(3, cosines, right, allowed).tolist()
    assert [0.0] == capped_precision(1, cosines, right, allowed).tolist()
    assert [1.0] == capped_precision(4, cosines, right, allowed).tolist()
    assert np.isnan(capped_precision(3, cosines, np.zeros((1, 5), bool), allowed)).all()


def test_scores_of_a_perfect_embedding() -> None:
    """Clips of one genre and artist are the nearest, and renditions change nothing."""
    clips = [Clip(Path(), genre, artist, FMA) for genre, artist in [("a", "1"), ("a", "1"), ("a", "2"), ("b", "3")]]
    vectors = np.array([[1, 0.1, 0], [1, 0.2, 0], [0.7, 0.7, 0], [0, 0, 1]])
    cosines = np.stack([vectors @ vectors.T, vectors @ vectors.T]) / np.linalg.norm(vectors, axis=1)
    scores = score(cosines, Relations.of(clips))
    for name in (GENRE_5, GENRE_10):
        np.testing.assert_array_equal([1, 1, 1, np.nan], scores[name])
    for name in (ARTIST_5, ARTIST_FIRST):
        np.testing.assert_array_equal([1, 1, np.nan, np.nan], scores[name])
    np.testing.assert_array_equal([1, 1, 1, 1], scores[OVERLAP])
    np.testing.assert_array_equal([0.5 + 0.5] * 4, scores[OWN_FIRST])


def test_clips_of_unknown_genre_have_none() -> None:
    """Two clips without a genre do not have the same one."""
    assert not Relations.of([Clip(Path(), "", "1", FMA), Clip(Path(), "", "2", FMA)]).same_genre.any()


def test_overlap_counts_common_neighbours() -> None:
    """The clip itself is no neighbour, and the share is that of the ten nearest."""
    original = np.tile(np.linspace(1, 0, 21), (21, 1))
    shifted = np.roll(original, 5, axis=1)
    shares = overlaps(np.stack([original, original, shifted]))
    np.testing.assert_allclose(1, shares[0])
    assert pytest.approx(0.5) == shares[1, 20]


def test_cosines_are_put_in_their_places() -> None:
    """The cosines of an embedding that needs no fitting are those of all clips at once."""
    clips, renditions = made_up_clips(30, 12), [made_up_layers(noise(30, 5, 6, seed=seed)) for seed in (0, 1)]
    vectors = [plain(PENULTIMATE)(layers)(layers, NO_HEAD) for layers in renditions]
    found = similarities(clips, renditions, [Candidate("plain", 6, plain(PENULTIMATE))], _no_head, lambda name: None)
    np.testing.assert_allclose(np.stack(vectors) @ vectors[0].T, found["plain"], rtol=1e-4, atol=1e-6)


def test_nothing_is_fitted_on_the_artists() -> None:
    """Heads are trained, and embeddings fitted, without the artists of the clips that they compare."""
    clips = made_up_clips(30, 12)
    numbers = np.array([int(clip.group.split()[1]) for clip in clips], float)[:, None, None]
    excluded: list[frozenset[str]] = []
    overlapping: list[set[float]] = []

    def head_for(groups: frozenset[str]) -> Head:
        excluded.append(groups)
        return lambda layers: NO_HEAD

    def fit(others: Layers) -> Embed:
        fitted_on = set(others.values[PENULTIMATE].ravel().tolist())

        def embed(layers: Layers, head: HeadOutput) -> Floats:
            overlapping.append(fitted_on & set(layers.values[PENULTIMATE].ravel().tolist()))
            assert {f"artist {number:.0f}" for number in layers.values[PENULTIMATE].ravel()} == excluded[-1]
            return layers.mean(PENULTIMATE)

        return embed

    found = similarities(clips, [made_up_layers(numbers)], [Candidate("", 1, fit)], head_for, lambda name: None)
    assert FOLDS * (FOLDS + 1) // 2 == len(excluded)
    assert not any(overlapping)
    np.testing.assert_array_equal(np.outer(numbers, numbers), found[""][0])


def test_folds_keep_artists_together() -> None:
    """All clips of an artist are in one fold."""
    clips = made_up_clips(30, 12)
    folds = artist_folds(clips)
    assert set(range(FOLDS)) == set(folds.tolist())
    assert 12 == len({(clip.group, fold) for clip, fold in zip(clips, folds.tolist(), strict=True)})


def test_better_candidates_are_listed_by_size() -> None:
    """A perfect embedding is better than noise, the smallest one is named first, and the larger ones are compared."""
    trial = made_up_trial()
    assert ["small", "large"] == [candidate.name for candidate in trial.better()]
    lines = list(trial.lines())
    assert any(line.startswith("| gain over small |") for line in lines)
    assert any(
        line.startswith("| large |") and line.endswith("| no: not clearly better in anything |") for line in lines
    )


def test_selected_clips_are_the_whole_catalogue() -> None:
    """The scores of some clips are those of a trial without the others."""
    trial, rows = made_up_trial(), np.arange(0, 36, 2)
    cosines = {name: np.stack([matrix[::2, ::2] for matrix in values]) for name, values in trial.cosines.items()}
    expected = Trial.of(trial.clips[::2], trial.candidates, cosines)
    for name, scores in trial.select(rows).scores.items():
        for key, values in scores.items():
            np.testing.assert_array_equal(expected.scores[name][key], values, f"{name}, {key}")


def made_up_trial() -> Trial:
    """Returns a trial with noise as today's embedding, and two perfect ones that are equal."""
    clips = made_up_clips(36, 12)
    relations = Relations.of(clips)
    perfect = relations.same_clip + 2.0 * relations.same_artist + relations.same_genre + 0.01 * noise(36, 36)
    cosines = {"noise": noise(2, 36, 36), "large": np.stack([perfect, perfect]), "small": np.stack([perfect, perfect])}
    sizes = {"noise": 1, "large": 9, "small": 3}
    compared = [Candidate(name, width, plain(PENULTIMATE)) for name, width in sizes.items()]
    return Trial.of(clips, compared, {name: values.astype(np.float32) for name, values in cosines.items()})


@pytest.mark.parametrize(
    ("genre", "artist", "overlap", "expected"),
    [
        ((-0.04, 0.1), (0.01, 0.1), (-0.1, 0.1), "better in same artist P@5"),
        ((-0.04, 0.1), (-0.01, 0.1), (0.01, 0.1), "better in overlap@10"),
        ((-0.05, 0.1), (0.01, 0.1), (0.01, 0.1), "no: a loss of 0.05 in genre precision is not excluded"),
        ((-0.04, 0.1), (0.01, 0.1), (-0.1, -0.01), "no: clearly worse in overlap@10"),
        ((0.04, 0.1), (-0.01, 0.1), (-0.01, 0.1), "no: not clearly better in anything"),
    ],
)
def test_rule(genre: Sequence[float], artist: Sequence[float], overlap: Sequence[float], expected: str) -> None:
    """The rule of docs/adr/0053 decides by the intervals of the gains."""
    free = Interval(0, -0.01, 0.01)
    for first, second in ((Interval(0, *genre), free), (free, Interval(0, *genre))):
        gains = {GENRE_5: first, GENRE_10: second, ARTIST_5: Interval(0, *artist), OVERLAP: Interval(0, *overlap)}
        assert expected == verdict(gains)


def test_names_of_artists_are_read_in_any_order(tmp_path: Path) -> None:
    """An artist whose names are swapped in the list is one artist; genres are compared by their letters."""
    (tmp_path / "MANIFEST.tsv").write_text(
        "file\tgenre\tartist\n1.mp3\tHip-Hop\tEd Askew\tTitle\n2.mp3\t?\tAskew Ed\tTitle\n", encoding="utf-8"
    )
    first, second = fma_clips(tmp_path)
    assert first.group == second.group
    assert ("hiphop", "") == (first.genre, second.genre)


def _no_head(groups: frozenset[str]) -> Head:
    return lambda layers: NO_HEAD
