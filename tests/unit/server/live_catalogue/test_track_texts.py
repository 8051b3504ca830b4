from __future__ import annotations

import pytest

from segue.core.selection.folding import fold
from segue.server.live_catalogue.track_texts import Match, TrackTexts

TEXTS = {
    "a": ("Song of the Sea", "Björk", "Waves", "/music/Bjork/Waves/01.flac"),
    "b": ("Waves", "The Sea", "Song of Songs", "/music/b.flac"),
    "c": ("Hidden", "", "", "/music/The Sea/song.flac"),
    "d": ("SONG", "Another", "Sea", "/music/d.flac"),
}


def found(query: str, size: int = 10, after: Match | None = None) -> tuple[list[str], int, bool]:
    """The ids that a query finds in TEXTS, the number of all, and True if they are the last."""
    texts = TrackTexts()
    texts.put(list(TEXTS), TEXTS.values())
    matches = texts.search(fold(query).split(), after, size)
    return [match.track_id for match in matches.page], matches.total, matches.is_last


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Björk", "bjork"),
        ("MØ", "mo"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("ＷＩＤＥ", "wide"),  # noqa: RUF001 - full-width letters
        ("Дорога", "дорога"),
        ("Ёлка", "елка"),
        ("İstanbul ı", "istanbul i"),  # noqa: RUF001 - Turkish letters
        ("ﬁn", "fin"),
        ("a\udcff", "a\udcff"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    """Case, accents, strokes and ligatures are removed; other scripts and undecodable bytes stay."""
    assert folded == fold(text)


def test_the_title_comes_first() -> None:
    """A match in the title alone is best, then those that need the artist, the album and the path; then the id."""
    assert (["a", "b", "d", "c"], 4, True) == found("sea song")


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("bjork", ["a"]),
        ("BJÖRK waves", ["a"]),
        ("jör", ["a"]),
        ("sea bjork hidden", []),
        ("the sea", ["a", "b", "d", "c"]),
    ],
)
def test_every_word_must_occur(query: str, ids: list[str]) -> None:
    """Each word occurs somewhere in the texts, also inside a longer word, in any order."""
    assert ids == found(query)[0]


def test_pages() -> None:
    """The part after a match continues where the one before ended, with the number of all matches."""
    assert (["a", "b"], 4, False) == found("sea song", 2)
    assert (["d", "c"], 4, True) == found("sea song", 2, Match(2, "b"))


def test_words_do_not_span_texts() -> None:
    """A word is not found across the end of a title and the beginning of an artist, nor across a line break."""
    texts = TrackTexts()
    texts.put(["a"], [("one", "two", "", "th\nree")])
    assert [0, 0, 1] == [texts.search([word], None, 1).total for word in ("onetwo", "three", "ree")]


def test_retain() -> None:
    """Tracks that are gone are forgotten, and those without texts are returned."""
    texts = TrackTexts()
    texts.put(["a", "b", "c"], [("x", "", "", ""), ("x", "", "", ""), None])
    assert ["c", "d"] == texts.retain(["b", "c", "d"])
    assert ["b"] == [match.track_id for match in texts.search(["x"], None, 10).page]
