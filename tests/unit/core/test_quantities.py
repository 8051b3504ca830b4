from __future__ import annotations

import pytest

from segue.core.quantities import quantity


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 tracks"), (1, "1 track"), (2, "2 tracks"), (1_200, "1,200 tracks")]
)
def test_a_number_agrees_with_its_noun(number: int, expected: str) -> None:
    """Only one has the singular."""
    assert expected == quantity(number, "track")


def test_a_number_agrees_with_a_clause() -> None:
    """The plural is given where it is more than an s."""
    assert "1 file is missing" == quantity(1, "file is missing", "files are missing")
    assert "2 files are missing" == quantity(2, "file is missing", "files are missing")
