"""Text for people."""

from __future__ import annotations


def escape_control_characters(text: str) -> str:
    """Returns text in which each character that is not printable is escaped, so that it cannot control a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
