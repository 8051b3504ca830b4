from __future__ import annotations

import numpy as np
import pytest

from segue.trainer.data.dataset import Clip, Dataset, labels_of
from segue.trainer.errors import DataUnusable


@pytest.mark.parametrize("genres", [[], ["rock"], ["rock", "rock"]])
def test_one_genre_is_not_enough(genres: list[str]) -> None:
    """A network with one genre classifies nothing."""
    with pytest.raises(DataUnusable, match="two genres or more"):
        labels_of(genres)


def test_the_digest_of_a_name_that_is_not_utf_8() -> None:
    """Names of old files may be in another encoding; Python keeps their bytes as lone surrogates."""
    decibels = np.zeros((128, 39), np.float32)
    digests = {Dataset((Clip(name, "rock", decibels),)).digest for name in ("caf\udce9", "caf\udce8", "cafe")}
    assert 3 == len(digests)
