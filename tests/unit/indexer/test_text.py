from __future__ import annotations

import os
from pathlib import Path

from segue.indexer.text import display_path, escape_control_characters, paths_from_display


def test_a_byte_that_is_not_utf_8_is_escaped() -> None:
    """A file name is bytes; its display path is text that every store and terminal can take."""
    assert "/music/\\xff.mp3" == display_path(Path(os.fsdecode(b"/music/\xff.mp3")))


def test_an_escape_has_two_readings() -> None:
    """The file name contains the byte, or the escape itself; other text has one reading."""
    assert [Path("/a\\xff"), Path(os.fsdecode(b"/a\xff"))] == paths_from_display("/a\\xff")
    assert [Path("/caf\xe9")] == paths_from_display("/caf\xe9")


def test_a_file_name_cannot_control_the_terminal() -> None:
    """Escape sequences and line breaks in a name are printed as escapes."""
    assert "a\\x1b[31m\\nb \xe9" == escape_control_characters("a\x1b[31m\nb \xe9")
