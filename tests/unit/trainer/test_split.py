from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.split import (
    Split,
    check_duplicates,
    gtzan_artists,
    known_duplicates,
    load_split,
    random_split,
    shipped_split,
)


def test_the_shipped_split_is_the_published_one() -> None:
    """The fault-filtered split has 443, 197 and 290 tracks of GTZAN's 1,000."""
    sides = Counter(shipped_split("fault-filtered").sides.values())
    assert {"train": 443, "valid": 197, "test": 290, "unused": 70} == sides


def test_the_shipped_split_has_a_digest_that_stays() -> None:
    """Figures are compared across versions by this digest, so the split must never change unnoticed."""
    assert shipped_split("fault-filtered").digest.startswith("a30511d52672ae2d")


def test_the_digest_does_not_depend_on_the_order_of_tracks() -> None:
    """Two files with the same sides in another order are the same split."""
    assert Split("a", {"x": "train", "y": "valid"}).digest == Split("b", {"y": "valid", "x": "train"}).digest


def test_a_track_that_a_split_does_not_know_is_unused() -> None:
    """Music from elsewhere takes part in no side."""
    assert "unused" == shipped_split("fault-filtered").side("blues/my own song.mp3")


def test_a_known_duplicate_on_two_sides_is_refused() -> None:
    """A recording that is learnt from and judged by makes a network look better than it is."""
    track, duplicate = known_duplicates()[0]
    with pytest.raises(SplitMismatch, match="same recording"):
        check_duplicates(Split("leaky", {track: "train", duplicate: "test"}))


def test_a_saved_split_is_read_back(tmp_path: Path) -> None:
    """What was trained by a drawn split can be judged by it later."""
    split = random_split({f"{genre}/{n}": genre for genre in ("a", "b") for n in range(10)}, seed=3)
    split.save(tmp_path / "mine.tsv")
    assert split.digest == load_split(str(tmp_path / "mine.tsv")).digest


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("track\tside\na\ttrain\n", "columns track and split"),
        ("track\tsplit\na\tlearn\n", "'learn'"),
        ("track\tsplit\na\ttrain\na\tvalid\n", "twice"),
        ("disco.00098\ttrain\n", "columns track and split"),
        ("track\tsplit\ndisco.00098\ttrain\ndisco.00099\tvalid\n", "same recording"),
    ],
)
def test_a_damaged_split_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    """A wrong column, a wrong side, a track twice, no header, a leak: each has its own sentence."""
    path = tmp_path / "split.tsv"
    path.write_text(text)
    with pytest.raises(SplitMismatch, match=complaint):
        load_split(str(path))


@pytest.mark.parametrize("name", ["filtered", "nowhere.tsv"])
def test_an_unknown_split_is_refused(name: str) -> None:
    """Neither a name that is not shipped nor a file that is not there is guessed at."""
    with pytest.raises(SplitMismatch):
        load_split(name)


def test_a_random_split_draws_from_every_genre() -> None:
    """A fifth of each genre validates, at least one track, and at least one is left to learn from."""
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
    """It would be learnt from and never judged, or judged and never learnt."""
    with pytest.raises(DataUnusable, match="'b'"):
        random_split({"a/1": "a", "a/2": "a", "b/1": "b"}, seed=0)


def test_the_artists_of_gtzan_are_known() -> None:
    """Artist-disjoint figures need a name for nearly every track."""
    artists = gtzan_artists()
    assert 1000 == len(artists)
    assert 17 == sum(not artist for artist in artists.values())
