from __future__ import annotations

from collections import Counter

import pytest

from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import DRAWN, gtzan_artists, known_duplicates
from segue.trainer.splits.strategies import (
    SplitSpec,
    artist_grouped_split,
    chunk_random_split,
    paper_split,
    random_split,
)

GTZAN = {track: track.split(".")[0] for track in gtzan_artists()}


def test_a_random_split_draws_from_every_genre() -> None:
    """A fifth of each genre validates, at least one track, and at least one is left for training."""
    genres = {f"{genre}/{n}": genre for genre, count in (("many", 50), ("few", 2)) for n in range(count)}
    split = random_split(genres, seed=0)
    sides = Counter((genres[track], side) for track, side in split.sides.items())
    assert {("many", "train"): 40, ("many", "valid"): 10, ("few", "train"): 1, ("few", "valid"): 1} == sides


def test_a_random_split_follows_from_its_seed() -> None:
    """The same seed draws the same tracks, another seed others."""
    genres = {f"a/{n}": "a" for n in range(50)}
    digests = [random_split(genres, seed).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_a_genre_with_one_track_cannot_be_split() -> None:
    """It could be trained or validated on, but not both."""
    with pytest.raises(DataUnusable, match="'b'"):
        random_split({"a/1": "a", "a/2": "a", "b/1": "b"}, seed=0)


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\u2028b", "a\udcff", "a "], ids=ascii)
@pytest.mark.parametrize("split", DRAWN)
def test_a_name_that_would_break_a_table_is_refused(split: str, name: str) -> None:
    """A split is saved as lines of names, and must be read back unchanged."""
    with pytest.raises(DataUnusable, match="Rename the file"):
        SplitSpec(split).draw({name: "a", "a/2": "a"})


@pytest.mark.parametrize("name", ["random-tracks", "paper"])
def test_given_copies_stay_together(name: str) -> None:
    """That holds even if the copies have different genres."""
    genres = {f"{genre}/{n}": genre for genre in ("a", "b") for n in range(20)}
    copies = [("a/0", "a/19"), ("a/3", "b/7"), ("a/3", "b/8")]
    splits = [SplitSpec(name, seed).draw(genres, copies) for seed in range(20)]
    assert [] == [pair for split in splits for pair in copies if split.side(pair[0]) != split.side(pair[1])]


def test_a_genre_of_copies_alone_cannot_be_split() -> None:
    """One recording cannot be trained and evaluated on."""
    with pytest.raises(DataUnusable, match="'b' has too few recordings: 1, in 2 tracks"):
        random_split({"a/1": "a", "a/2": "a", "b/1": "b", "b/2": "b"}, seed=0, copies=[("b/1", "b/2")])


def test_the_paper_s_split_is_nine_to_one_twice() -> None:
    """Of the 1,000 tracks about 810 train, 90 validate and 100 test, and every genre has its share."""
    split = paper_split(GTZAN, seed=0)
    sides = Counter(split.sides.values())
    assert 100 == pytest.approx(sides["test"], abs=8)
    assert 90 == pytest.approx(sides["valid"], abs=8)
    by_genre = Counter(GTZAN[track] for track, side in split.sides.items() if side == "valid")
    assert 10 == len(by_genre)
    assert 8 <= min(by_genre.values())
    assert not split.leaky


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [name for name in DRAWN if name != "chunk-random"])
def test_copies_of_a_recording_stay_together(name: str, seed: int) -> None:
    """No drawn split of tracks puts a known duplicate on another side."""
    split = SplitSpec(name, seed).draw(GTZAN)
    assert [] == [pair for pair in known_duplicates() if split.side(pair[0]) != split.side(pair[1])]


def test_chunks_of_a_track_are_on_several_sides() -> None:
    """The split leaks, and its label says so."""
    chunks = {f"{genre}/{n}#{second:02}s": genre for genre in "ab" for n in range(10) for second in range(0, 30, 3)}
    split = chunk_random_split(chunks, seed=0)
    trained = {chunk.split("#")[0] for chunk, side in split.sides.items() if side == "train"}
    tested = {chunk.split("#")[0] for chunk, side in split.sides.items() if side == "test"}
    assert trained & tested
    assert "chunk-random (LEAKY)" == split.label


def test_no_artist_is_on_two_sides() -> None:
    """Over the five folds every track is tested once, and its artist is never on another side."""
    artists, tested = gtzan_artists(), Counter[str]()
    for fold in range(5):
        split = artist_grouped_split(GTZAN, seed=0, folds=5, fold=fold)
        sides: dict[str, set[str]] = {}
        for track, side in split.sides.items():
            sides.setdefault(artists[track].casefold().strip() or track, set()).add(side)
        assert {1} == {len(artist_sides) for artist_sides in sides.values()}
        tested.update(track for track, side in split.sides.items() if side == "test")
    assert {1} == set(tested.values())
    assert 1000 == len(tested)


def test_artists_of_other_music_are_unknown() -> None:
    """The message names a track that is not in GTZAN's index."""
    with pytest.raises(DataUnusable, match="mine/1"):
        artist_grouped_split({"mine/1": "mine"}, seed=0, folds=5, fold=0)


def test_too_many_folds_are_refused() -> None:
    """Every fold needs every genre."""
    few = dict(list(GTZAN.items())[:4] + list(GTZAN.items())[-4:])
    with pytest.raises(DataUnusable, match="--folds"):
        artist_grouped_split(few, seed=0, folds=10, fold=0)


def test_a_genre_of_one_artist_cannot_be_trained_and_tested() -> None:
    """Its tracks stay together, so that two of the folds have no training tracks of it."""
    hooker = {track: genre for track, genre in GTZAN.items() if genre != "blues" or track < "blues.00012"}
    messages = []
    for fold in range(5):
        try:
            artist_grouped_split(hooker, seed=0, folds=5, fold=fold)
        except DataUnusable as error:
            messages.append(str(error))
    assert 2 == len(messages)
    assert "no tracks of blues to train on" in messages[0]


def test_a_fold_out_of_range_is_refused() -> None:
    """Folds are counted from 0."""
    with pytest.raises(SplitMismatch, match="--fold"):
        SplitSpec("artist-grouped", folds=5, fold=5).load()


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_split_follows_from_its_seed(name: str, seed: int) -> None:
    """The same seed draws the same sides, another seed others."""
    digests = [SplitSpec(name, seed=number).draw(GTZAN).digest for number in (seed, seed, seed + 1)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]
