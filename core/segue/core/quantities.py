"""Writes numbers with their nouns."""

from __future__ import annotations


def quantity(number: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with its noun, such as "1 track" or "1,200 tracks".

    Args:
        number: the number.
        noun: what follows the number 1.
        plural: what follows any other number, if that is not the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
