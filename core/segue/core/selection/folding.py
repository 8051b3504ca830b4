"""Texts without case and accents, for comparisons."""

from __future__ import annotations

import unicodedata

# Letters with a stroke and the like, which Unicode does not decompose.
_BASE_LETTERS = str.maketrans(
    {"æ": "ae", "đ": "d", "ð": "d", "ħ": "h", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "ł": "l"}
    | {"ø": "o", "œ": "oe", "ŧ": "t", "þ": "th"}
)


def fold(text: str) -> str:
    """Returns a text without case, accents and other marks, such as "bjork" for "Björk"."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(_BASE_LETTERS)
