r"""Writes any path as text that every store and terminal can take, and reads it back.

A file name of Linux is bytes. Those that are not UTF-8 are written as ``\xe9``. Where a name itself has such an escape,
its backslash is written as ``\x5c``, so that every text has one reading.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_LIKE_ESCAPE = re.compile(rb"\\(?=x(?:5c|[89a-f][0-9a-f]))")
_ESCAPE = re.compile(rb"\\x(5c|[89a-f][0-9a-f])")


def display_path(path: Path) -> str:
    """Returns a path as valid Unicode text, from which ``file_path`` returns the path again."""
    return display_bytes(os.fsencode(path))


def display_bytes(name: bytes) -> str:
    """Returns any bytes as valid Unicode text, as ``display_path`` does for those of a path."""
    return _LIKE_ESCAPE.sub(rb"\\x5c", name).decode("utf-8", "backslashreplace")


def file_path(display: str) -> Path:
    """Returns the path that ``display_path`` wrote as this text; the file need not exist."""
    return Path(os.fsdecode(_exact(display)))


def raw_path(display: str) -> bytes:
    """Returns the bytes of the path that ``display_path`` wrote as this text, or no byte if they are this text."""
    exact = _exact(display)
    return b"" if exact == _to_bytes(display) else exact


def _exact(display: str) -> bytes:
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), _to_bytes(display))


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
