from __future__ import annotations

from segue.indexer.text import escape_control_characters


def test_a_file_name_cannot_control_the_terminal() -> None:
    """Escape sequences and line breaks in a name are printed as escapes."""
    assert "a\\x1b[31m\\nb \xe9" == escape_control_characters("a\x1b[31m\nb \xe9")
