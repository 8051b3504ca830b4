"""Every path has a text of its own, which leads back to its bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from segue.core.catalogue.display_path import display_path, file_path, raw_path


@pytest.mark.parametrize(
    ("raw", "display"),
    [
        (b"/caf\xc3\xa9.mp3", "/caf\xe9.mp3"),
        (b"/caf\xe9.mp3", "/caf\\xe9.mp3"),
        (b"/caf\\xe9.mp3", "/caf\\x5cxe9.mp3"),
        (b"/\\x5c \\x5cxe9", "/\\x5cx5c \\x5cx5cxe9"),
        (b"/a\\b \\x1b \\xE9 \\\xe9 \\\\xe9", "/a\\b \\x1b \\xE9 \\\\xe9 \\\\x5cxe9"),
        (b"/\xed\xb3\xa9", "/\\xed\\xb3\\xa9"),
    ],
)
def test_a_path_and_its_text(raw: bytes, display: str) -> None:
    """Bytes that are not UTF-8 are escaped, and names that look so as well."""
    path = Path(os.fsdecode(raw))

    assert display == display_path(path)
    assert path == file_path(display)
    assert raw == (raw_path(display) or display.encode())


def test_the_bytes_of_a_plain_path_are_not_repeated() -> None:
    """They are those of its text."""
    assert (b"", b"", b"/\xe9") == (raw_path("/caf\xe9 \\x1b"), raw_path(""), raw_path("/\\xe9"))
