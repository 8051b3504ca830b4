from __future__ import annotations

import numpy as np
import pytest

from segue.trainer.arrays import Floats
from segue.trainer.labelling.ranking import margins_of, rank_clips


def unit(*angles: float) -> Floats:
    """Embeddings in the plane, by their angles in degrees."""
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def posterior(*margins: float) -> Floats:
    """Posteriors of three genres whose two best differ by these margins."""
    rows = [(0.5 + margin / 2, 0.5 - margin / 2, 0.0) for margin in margins]
    return np.array(rows, np.float32)


def rows(probabilities: Floats, embedding: Floats, limit: int) -> list[int]:
    """The rows of the suggestions."""
    return [chosen.row for chosen in rank_clips(probabilities, embedding, limit)]


def test_the_margin_is_between_the_two_best_genres() -> None:
    """The order of the genres does not matter, nor the third one."""
    probabilities = np.array([[0.1, 0.6, 0.3], [0.4, 0.2, 0.4], [1, 0, 0]], np.float32)
    assert pytest.approx([0.3, 0.0, 1.0]) == margins_of(probabilities).tolist()


def test_the_first_clip_is_the_least_certain() -> None:
    """It has no reason but its margin."""
    (first,) = rank_clips(posterior(0.9, 0.2, 0.3), unit(0, 10, 20), 1)
    assert (1, None) == (first.row, first.similarity)
    assert pytest.approx(0.2, abs=1e-6) == first.margin


def test_equally_uncertain_clips_are_far_from_each_other() -> None:
    """Versions of the first clip come after a different one, and each has its nearest clip above as reason."""
    margins, angles = [0.1] * 4 + [0.9] * 4, (0, 2, 4, 90, 180, 190, 200, 210)
    suggestions = rank_clips(posterior(*margins), unit(*angles), 3)
    assert [0, 3, 2] == [chosen.row for chosen in suggestions]
    assert pytest.approx(0.0, abs=1e-6) == suggestions[1].similarity
    assert pytest.approx(np.cos(np.deg2rad(4)), abs=1e-6) == suggestions[2].similarity


def test_the_more_certain_half_is_left_out() -> None:
    """A clip that the network is sure of is not worth a label, however far it is from the others."""
    assert [0, 3] == rows(posterior(0.0, 0.9, 0.8, 0.3), unit(0, 180, 90, 60), 2)


def test_the_limit_does_not_change_the_order() -> None:
    """The less certain half is the same for every limit, also for one that is larger than the half."""
    random = np.random.default_rng(1)
    probabilities, embedding = posterior(*random.uniform(0, 1, 30)), unit(*random.uniform(0, 360, 30))
    assert rows(probabilities, embedding, 30)[:20] == rows(probabilities, embedding, 20)


def test_twenty_versions_of_one_song_are_not_suggested() -> None:
    """Of twenty uncertain versions of a song and fifty other clips, one version is among the first ten."""
    margins = [0.01] * 20 + [0.3] * 50
    angles = [n / 100 for n in range(20)] + [10.0 + 7 * n for n in range(50)]
    assert 1 == sum(row < 20 for row in rows(posterior(*margins), unit(*angles), 10))


def test_copies_are_suggested_once() -> None:
    """Fewer clips are suggested rather than copies, and the first of them is chosen."""
    assert [1, 0] == rows(posterior(0.5, 0.1, 0.1, 0.5), unit(90, 0, 0, 90), 4)


def test_clips_that_the_network_is_sure_of_come_last() -> None:
    """They are suggested where there is nothing else."""
    assert [1, 0] == rows(posterior(1.0, 0.1), unit(90, 0), 5)


def test_equal_clips_are_in_the_order_of_their_rows() -> None:
    """The ranking is the same in every run."""
    random = np.random.default_rng(0)
    embedding = unit(*random.uniform(0, 360, 100))
    probabilities = posterior(*[0.5] * 100)
    assert 0 == rows(probabilities, embedding, 30)[0]
    assert rows(probabilities, embedding, 30) == rows(probabilities, embedding, 30)
    assert rows(probabilities, embedding, 30)[:5] == rows(probabilities, embedding, 5)
