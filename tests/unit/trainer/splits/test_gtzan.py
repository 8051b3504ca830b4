from __future__ import annotations

from segue.trainer.splits.gtzan import compare_with_gtzan
from segue.trainer.splits.split import gtzan_artists

WHOLE = set(gtzan_artists())


def test_differences_from_gtzan_are_listed() -> None:
    """Missing and unknown tracks are named."""
    differences = compare_with_gtzan(WHOLE - {"jazz.00054"} | {"jazz/extra.wav"})
    assert [
        "1 of GTZAN's 1,000 tracks is missing: jazz.00054",
        "1 track is not GTZAN's: jazz/extra.wav",
    ] == differences


def test_a_whole_folder_and_other_music_have_no_differences() -> None:
    """Other music is not compared with GTZAN."""
    assert [] == compare_with_gtzan(WHOLE)
    assert [] == compare_with_gtzan({"mine/1", "mine/2", "blues.00000"})


def test_a_long_list_is_shortened() -> None:
    """Twenty names are listed, and the others are counted."""
    (missing,) = compare_with_gtzan(WHOLE - {f"pop.{number:05}" for number in range(30)})
    assert missing.endswith("pop.00019 and 10 more")
