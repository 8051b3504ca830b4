from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from segue.trainer.errors import SplitMismatch
from segue.trainer.splits.split import (
    Split,
    check_duplicates,
    gtzan_artists,
    known_duplicates,
    load_split,
    shipped_split,
)
from segue.trainer.splits.strategies import random_split


def test_the_shipped_split_is_the_published_one() -> None:
    """The fault-filtered split has 443, 197 and 290 tracks of GTZAN's 1,000."""
    sides = Counter(shipped_split("fault-filtered").sides.values())
    assert {"train": 443, "valid": 197, "test": 290, "unused": 70} == sides


def test_the_shipped_split_has_a_digest_that_stays() -> None:
    """Figures are compared across versions by this digest, so the split must never change silently."""
    assert shipped_split("fault-filtered").digest.startswith("a30511d52672ae2d")


def test_the_digest_does_not_depend_on_the_order_of_tracks() -> None:
    """Two files with the same sides in another order are the same split."""
    assert Split("a", {"x": "train", "y": "valid"}).digest == Split("b", {"y": "valid", "x": "train"}).digest


def test_a_track_that_is_not_in_a_split_is_unused() -> None:
    """Other music is on no side."""
    assert "unused" == shipped_split("fault-filtered").side("blues/my own song.mp3")


def test_a_known_duplicate_on_two_sides_is_refused() -> None:
    """A recording that is trained and evaluated on makes a network look better than it is."""
    track, duplicate = known_duplicates()[0]
    with pytest.raises(SplitMismatch, match="same recording"):
        check_duplicates(Split("leaky", {track: "train", duplicate: "test"}))


def test_a_saved_split_is_read_back(tmp_path: Path) -> None:
    """A network that was trained on a drawn split can be evaluated on it later."""
    split = random_split({f"{genre}/{n}": genre for genre in ("a", "b") for n in range(10)}, seed=3)
    split.save(tmp_path / "mine.tsv")
    assert split.digest == load_split(str(tmp_path / "mine.tsv")).digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track\tside\na\ttrain\n", "columns track and split"),
        ("track\tsplit\na\tlearn\n", "'learn'"),
        ("track\tsplit\na\ttrain\na\tvalid\n", "twice"),
        ("disco.00098\ttrain\n", "columns track and split"),
        ("track\tsplit\ndisco.00098\ttrain\ndisco.00099\tvalid\n", "same recording"),
    ],
)
def test_a_damaged_split_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A wrong column, a wrong side, a duplicate track, a missing header and a leak each have their own message."""
    path = tmp_path / "split.tsv"
    path.write_text(text)
    with pytest.raises(SplitMismatch, match=message):
        load_split(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "\ufefftrack\tsplit\na\ttrain\nb\tvalid\n",
        "track \t split\r\na\ttrain \r\n b\tvalid\r\n\r\n",
        "# name mine\n\ntrack\tsplit\tremark\na\ttrain\tgood\nb\tvalid\n",
    ],
    ids=["mark of a spreadsheet", "spaces", "empty lines and more columns"],
)
def test_a_split_that_another_program_wrote_is_read(tmp_path: Path, text: str) -> None:
    """Invisible characters in a table do not change its tracks and sides."""
    (tmp_path / "mine.tsv").write_bytes(text.encode())
    assert {"a": "train", "b": "valid"} == load_split(str(tmp_path / "mine.tsv")).sides


def test_a_saved_split_says_its_name_and_digest(tmp_path: Path) -> None:
    """The name survives a renamed file, and a side that was edited by hand is detected."""
    split = Split("mine", {"a": "train", "b": "valid"})
    split.save(tmp_path / "other.tsv")
    assert split == load_split(str(tmp_path / "other.tsv"))
    text = (tmp_path / "other.tsv").read_text()
    (tmp_path / "other.tsv").write_text(text.replace("b\tvalid", "b\ttrain"))
    with pytest.raises(SplitMismatch, match="was changed"):
        load_split(str(tmp_path / "other.tsv"))


def test_a_split_by_chunks_says_that_it_leaks(tmp_path: Path) -> None:
    """Its chunks of one track may be on several sides; its label says LEAKY, also when it is read back."""
    split = Split("chunks", {"a#00s": "train", "a#03s": "valid"}, "chunk")
    split.save(tmp_path / "chunks.tsv")
    again = load_split(str(tmp_path / "chunks.tsv"))
    assert again.leaky
    assert "chunks (LEAKY)" == again.label


@pytest.mark.parametrize("name", ["filtered", "nowhere.tsv"])
def test_an_unknown_split_is_refused(name: str) -> None:
    """A name that does not ship and a missing file are errors."""
    with pytest.raises(SplitMismatch):
        load_split(name)


def test_the_artists_of_gtzan_are_known() -> None:
    """Artist-disjoint figures need an artist for nearly every track."""
    artists = gtzan_artists()
    assert 1000 == len(artists)
    assert 17 == sum(not artist for artist in artists.values())
