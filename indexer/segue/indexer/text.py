"""Text for people: file names that every terminal and store can take."""

from __future__ import annotations

import os
import re
from pathlib import Path

# A byte that is not UTF-8, as ``display_path`` writes it.
_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


def display_path(path: Path) -> str:
    r"""Returns a path as valid Unicode text; a byte that is not UTF-8 is written as ``\xff``."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def paths_from_display(text: str) -> list[Path]:
    r"""Returns the one or two paths that ``display_path`` writes as this text.

    There are two where the text contains an escape such as ``\xff``: the file name contains the byte, or the escape
    itself. The paths need not exist.
    """
    raw = _ESCAPED_BYTE.sub(
        lambda match: bytes.fromhex(match[1].decode("ascii")), text.encode("utf-8", "surrogateescape")
    )
    return list(dict.fromkeys([Path(text), Path(os.fsdecode(raw))]))


def escape_control_characters(text: str) -> str:
    """Returns text in which each character that is not printable is escaped, so that it cannot control a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
