from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.features.fingerprint import Fingerprint
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.recommendations.judge import judge_recommendations
from segue.trainer.evaluation.recommendations.judgement import JudgedRecommendations, WayFigures
from segue.trainer.evaluation.recommendations.owners import TrackOwners, read_owners
from segue.trainer.evaluation.recommendations.tracks import JudgedTracks
from tests.helpers.trainer.predictions import make_predictions

NEAREST, TWO, DEFAULTS, CHANCE = (
    "the nearest tracks",
    "at most 2 per artist",
    "the defaults together",
    "random tracks",
)


def fingerprint_of(number: int) -> Fingerprint:
    """A fingerprint that is unlike that of any other number."""
    words = np.random.default_rng(number).integers(0, 2**32, (3, 20), np.uint32)
    return Fingerprint(words, 0.1, 20.0)


def tracks_of(predictions: Predictions, tracks_per_artist: int, pool: Predictions | None = None) -> JudgedTracks:
    """Tracks whose artists have the same number of tracks each, all of one genre, with an album of two tracks."""
    names = [name for side in (predictions, pool) if side for name in side.tracks]
    owners = {name: f"{name.split('.')[0]} {index // 3 // tracks_per_artist}" for index, name in enumerate(names)}
    albums = {name: f"album {index // 6} {index % 3}" for index, name in enumerate(names)}
    return JudgedTracks(
        predictions, pool, TrackOwners(owners, albums), {name: fingerprint_of(n) for n, name in enumerate(names)}
    )


def by_name(judged: JudgedRecommendations) -> dict[str, WayFigures]:
    """The figures of each way."""
    return {way.name: way for way in judged.ways}


def mean(ways: dict[str, WayFigures], way: str, figure: str) -> float:
    """The mean of a figure."""
    return ways[way].figures[figure].mean


def plain_lists(tracks: JudgedTracks, per_artist: int) -> list[list[int]]:
    """The lists by a loop over all tracks in the order of similarity."""
    seeds = tracks.seeds
    similarity = seeds.embedding @ seeds.embedding.T
    lists = []
    for seed in range(len(seeds.tracks)):
        chosen: list[int] = []
        counts: dict[str, int] = {}
        for row in np.argsort(-similarity[seed], kind="stable").tolist():
            artist = tracks.owners.artists[seeds.tracks[row]]
            if row == seed or len(chosen) == 10 or (per_artist and counts.get(artist, 0) >= per_artist):
                continue
            counts[artist] = counts.get(artist, 0) + 1
            chosen.append(row)
        lists.append(chosen)
    return lists


@pytest.fixture(scope="module")
def tracks() -> JudgedTracks:
    """60 tracks of three genres with four artists each."""
    return tracks_of(make_predictions(60), 5)


@pytest.fixture(scope="module")
def ways(tracks: JudgedTracks) -> dict[str, WayFigures]:
    """The figures of all ways for these tracks."""
    return by_name(judge_recommendations(tracks))


def test_figures_are_those_of_a_loop_over_all_tracks(tracks: JudgedTracks, ways: dict[str, WayFigures]) -> None:
    """Precision, cost and coverage agree with lists that are chosen one track after the other."""
    precision, genres = {}, tracks.seeds.genres
    for name, per_artist in ((NEAREST, 0), (TWO, 2)):
        lists = np.array(plain_lists(tracks, per_artist))
        precision[name] = float((genres[lists] == genres[:, None]).mean())
        assert pytest.approx(precision[name]) == mean(ways, name, "precision_at_10")
        assert pytest.approx((genres[lists[:, :5]] == genres[:, None]).mean()) == mean(ways, name, "precision_at_5")
        assert pytest.approx(len(np.unique(lists)) / 60) == mean(ways, name, "coverage")
        counts = np.bincount(lists.ravel(), minlength=60)
        skew = ((counts - counts.mean()) ** 3).mean() / counts.std() ** 3
        assert pytest.approx(skew) == mean(ways, name, "occurrence_skew")
    assert pytest.approx(precision[NEAREST] - precision[TWO]) == mean(ways, TWO, "cost_at_10")
    assert 0 == mean(ways, NEAREST, "cost_at_10")


def test_the_most_that_limits_allow(ways: dict[str, WayFigures]) -> None:
    """With four artists of a genre, at most eight tracks of it are among ten."""
    assert pytest.approx(1.0) == mean(ways, NEAREST, "possible_at_10")
    assert pytest.approx(0.8) == mean(ways, TWO, "possible_at_10")
    assert pytest.approx(0.4) == mean(ways, "at most 1 per artist", "possible_at_10")
    assert mean(ways, CHANCE, "share_of_possible") < mean(ways, TWO, "share_of_possible") <= 1


def test_limits_hold_in_the_lists(ways: dict[str, WayFigures]) -> None:
    """Lists have as many artists as the limit requires, and as many tracks of a genre in any order."""
    assert 10 == mean(ways, "at most 1 per artist", "artists_in_10")
    assert 5 <= mean(ways, TWO, "artists_in_10")
    assert mean(ways, "diversity 0.5", "diversity_at_10") > mean(ways, NEAREST, "diversity_at_10")
    assert mean(ways, "shuffled", "precision_at_10") == mean(ways, NEAREST, "precision_at_10")
    assert {"copies folded", TWO, DEFAULTS} == {way.name for way in ways.values() if way.is_default}


def test_copies_are_counted_and_folded() -> None:
    """A track that is there twice is a copy in the nearest tracks of both, and in no folded list."""
    predictions = make_predictions(60)
    embedding = predictions.embedding.copy()
    embedding[1] = embedding[0]
    tracks = tracks_of(replace(predictions, embedding=embedding), 5)
    names = predictions.tracks
    fingerprints = {**tracks.fingerprints, names[1]: tracks.fingerprints[names[0]]}
    ways = by_name(judge_recommendations(replace(tracks, fingerprints=fingerprints)))
    assert mean(ways, NEAREST, "copies_in_10") >= 2 / 60
    assert 0 == mean(ways, "copies folded", "copies_in_10")


def test_a_pool_of_other_tracks() -> None:
    """Seeds are compared with the pool alone; none has a track of its artist there."""
    predictions = make_predictions(60)
    pool = replace(predictions, tracks=tuple(f"{name}.again" for name in predictions.tracks))
    judged = judge_recommendations(tracks_of(predictions, 5, pool))
    assert (60, 60, False) == (judged.seeds, judged.tracks, judged.is_leave_one_out)
    assert math.isnan(mean(by_name(judged), NEAREST, "same_artist_at_10"))
    assert mean(by_name(judged), NEAREST, "precision_of_others") == mean(by_name(judged), NEAREST, "precision_at_10")


def test_unknown_artists_and_albums() -> None:
    """Settings that cannot be judged are named with the reason, and figures of artists are not measured."""
    judged = judge_recommendations(JudgedTracks(make_predictions(60, named=False), None))
    assert not any(way.is_default for way in judged.ways)
    assert 4 == len(judged.reasons)
    assert all("judged" in reason or "folded" in reason for reason in judged.reasons)
    assert math.isnan(mean(by_name(judged), NEAREST, "same_artist_at_10"))


def test_too_few_tracks() -> None:
    """Ten tracks leave nine to recommend to each."""
    with pytest.raises(DataUnusable, match="there are 9 to recommend"):
        judge_recommendations(JudgedTracks(make_predictions(10), None))


def test_unknown_embeddings() -> None:
    """Tracks without vectors cannot be compared."""
    without = replace(make_predictions(60), embedding=np.zeros((60, 0), np.float32))
    with pytest.raises(DataUnusable, match="embeddings"):
        judge_recommendations(JudgedTracks(without, None))


def test_the_table_of_artists(tmp_path: Path) -> None:
    """Columns may be in any order, and the album may be missing."""
    path = tmp_path / "artists.tsv"
    path.write_text("artist\ttrack\talbum\nMary Lou\tjazz/a\tZodiac\n\tjazz/b\t\n", encoding="utf-8")
    owners = read_owners(path, ["jazz/a", "jazz/b"])
    assert {"jazz/a": "Mary Lou", "jazz/b": ""} == owners.artists
    assert {"jazz/a": "Zodiac", "jazz/b": ""} == owners.albums
    path.write_text("track\tartist\njazz/a\tMary Lou\n", encoding="utf-8")
    assert {"jazz/a": ""} == read_owners(path, ["jazz/a"]).albums


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not a table of artists"),
        ("", "has no track of the input"),
        ("track\tname\njazz/a\tMary Lou\n", "lacks the column 'artist'"),
        ("name\tartist\njazz/a\tMary Lou\n", "lacks the column 'track'"),
        ("track\tartist\njazz/a\tA\njazz/a\tB\n", "names the track jazz/a twice"),
        ("track\tartist\njazz/x\tA\n", "has no track of the input, such as jazz/a"),
        (b"track\tartist\njazz/a\t\xff\n", "is not a table of artists"),
    ],
)
def test_a_table_of_artists_that_cannot_be_used(text: str | bytes | None, message: str, tmp_path: Path) -> None:
    """The message names the file and what it needs."""
    path = tmp_path / "artists.tsv"
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(DataUnusable, match=message) as caught:
        read_owners(path, ["jazz/a"])
    assert str(path) in str(caught.value)
