from __future__ import annotations

import pytest

from segue.trainer.data.dataset import labels_of
from segue.trainer.errors import DataUnusable


@pytest.mark.parametrize("genres", [[], ["rock"], ["rock", "rock"]])
def test_one_genre_is_not_enough(genres: list[str]) -> None:
    """A network with one genre classifies nothing."""
    with pytest.raises(DataUnusable, match="two genres or more"):
        labels_of(genres)
