from __future__ import annotations

from segue.indexer.pipeline.left_out import LeftOut


def test_nothing_is_said_of_nothing() -> None:
    """There is a phrase only for what was left out."""
    assert ([], []) == (LeftOut().phrases(), LeftOut().advice())


def test_every_reason_has_its_phrase() -> None:
    """Numbers agree with their nouns, and names come in the order of their frequency."""
    left_out = LeftOut({".txt": 1, ".cue": 3, ".jpg": 8}, {".ape": 1}, 2, {"@eaDir": 1}, 1, 2)

    assert [
        "1 file that needs ffmpeg (.ape 1)",
        "12 files that are not music (.jpg 8, .cue 3, .txt 1)",
        "2 resource forks",
        "1 system folder (@eaDir 1)",
        "1 broken link or special file",
        "2 links to what is found elsewhere",
    ] == left_out.phrases()
    assert [
        "Put ffmpeg on the PATH to index the files that need it.",
        "3 CUE sheets were not read: each file is one track.",
    ] == left_out.advice()


def test_only_frequent_endings_are_listed() -> None:
    """All others are one number, in which the endings that were not counted apart are included."""
    left_out = LeftOut({f".{number}": number for number in range(1, 8)} | {"other": 5_000})

    phrase = "5,028 files that are not music (.7 7, .6 6, .5 5, .4 4, .3 3 and 5,003 more)"
    assert [phrase] == left_out.phrases()


def test_one_sheet_has_the_singular() -> None:
    """One CUE sheet is not several."""
    assert ["1 CUE sheet was not read: each file is one track."] == LeftOut({".cue": 1}).advice()
