"""Chooses the clips whose labels should improve a network most; docs/adr/0052 compares the rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import normalize

from segue.trainer.arrays import AnyFloats, Floats
from segue.trainer.data.tagged_copies import COPY_DISTANCE

_MAX_DISTANCE = 2
"""Largest value of 1 - cosine."""


@dataclass(frozen=True)
class Suggestion:
    """A clip to label.

    Attributes:
        row: row of the clip.
        margin: difference between its two highest probabilities, in [0, 1]; the network is unsure where it is small.
        similarity: cosine of its mean tags with those of the most similar clip that was chosen before, in [0, 1]; None
            for the first.
    """

    row: int
    margin: float
    similarity: float | None


def rank_clips(posterior: Floats, tags: Floats, limit: int) -> list[Suggestion]:
    """Chooses clips to label: the one with the smallest margin, then those that are uncertain and unlike the others.

    Each further clip is the one of the less certain half, by margin, whose distance to the nearest chosen clip, 1 -
    cosine, is the largest (farthest-first traversal, Gonzalez 1985). The other half follows where that is too few. Of
    copies of the same audio, only one is chosen. Of equal clips, the first is.

    Args:
        posterior: probabilities [n, genres] of two or more genres, n of 1 or above.
        tags: mean tags [n, 50] of the clips.
        limit: largest number of clips, 1 or above.

    Returns:
        The clips; fewer than ``limit`` where there are fewer, copies not counted.
    """
    margins, unit = margins_of(posterior), normalize(tags.astype(np.float64))
    chosen = [Suggestion(int(margins.argmin()), float(margins.min()), None)]
    distance = np.full(len(margins), np.inf)
    unsure = np.isin(np.arange(len(margins)), np.argsort(margins, kind="stable")[: len(margins) // 2])
    while len(chosen) < limit:
        distance = np.minimum(distance, 1 - unit @ unit[chosen[-1].row])
        score = np.where(distance > COPY_DISTANCE, distance + _MAX_DISTANCE * unsure, -1)
        row = int(score.argmax())
        if score[row] < 0:
            break
        chosen.append(Suggestion(row, float(margins[row]), float(1 - distance[row])))
    return chosen


def margins_of(posterior: Floats) -> AnyFloats:
    """Computes the difference [n] between the two highest probabilities of each clip [n, genres], in [0, 1]."""
    highest = np.sort(posterior.astype(np.float64), axis=1)
    margins: AnyFloats = np.clip(highest[:, -1] - highest[:, -2], 0, 1)
    return margins
