"""Finds the smoothest path through points of a great circle, each of them with some tracks near it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.core.index.vector_index import Vectors
from segue.core.selection.labels import NONE

Angles = NDArray[np.float64]

# More than the squares of 100 steps together, so that another artist is preferred however far away the track is.
_SAME_ARTIST = 1_000.0


class Layer(NamedTuple):
    """The tracks near one point.

    Attributes:
        embeddings: their embeddings [c, e] of length 1, at least one.
        artists: numbers of their artists [c]; NONE for an unknown one, which is like no other.
    """

    embeddings: Vectors
    artists: NDArray[np.int64]


def angle_between(start: Vectors, end: Vectors) -> float:
    """Returns the angle between two embeddings [e] of length 1 in radians, also of nearly equal ones (Kahan 2006)."""
    first, last = start.astype(np.float64), end.astype(np.float64)
    return float(2 * np.arctan2(np.linalg.norm(first - last), np.linalg.norm(first + last)))


def waypoints(start: Vectors, end: Vectors, count: int) -> Vectors:
    """Returns the points [count, e] that divide the great circle between two embeddings into equal angles.

    The formula is that of spherical linear interpolation (Shoemake 1985).

    Args:
        start: an embedding [e] of length 1.
        end: another one, neither equal nor opposite.
        count: number of points, without the two ends.
    """
    angle = angle_between(start, end)
    fractions = np.arange(1, count + 1)[:, np.newaxis] / (count + 1)
    points = (np.sin((1 - fractions) * angle) * start + np.sin(fractions * angle) * end) / np.sin(angle)
    units: Vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return units


def smoothest(layers: Sequence[Layer]) -> list[int]:
    """Returns the number of one track of each layer, so that the sum of the squared angles between neighbours is least.

    It is found by dynamic programming (Viterbi 1967). Tracks by one artist follow each other only where it cannot be
    avoided. Of equal paths, it is the one whose last tracks come first in their layers.

    Args:
        layers: the layers in the order of the path, at least one.
    """
    costs, choices = np.zeros(len(layers[0].embeddings)), []
    for before, layer in pairwise(layers):
        through = costs[:, np.newaxis] + _step_costs(before, layer)
        choices.append(through.argmin(axis=0))
        costs = through.min(axis=0)
    path = [int(costs.argmin())]
    for choice in reversed(choices):
        path.append(int(choice[path[-1]]))
    return path[::-1]


def _step_costs(before: Layer, after: Layer) -> Angles:
    """Returns the costs [b, a] of the steps from the tracks of one layer to those of the next."""
    is_same = (before.artists[:, np.newaxis] == after.artists) & (after.artists != NONE)
    costs: Angles = angles(before.embeddings, after.embeddings) ** 2 + _SAME_ARTIST * is_same
    return costs


def angles(first: Vectors, second: Vectors) -> Angles:
    """Returns the angles [f, s] between embeddings [f, e] and [s, e] of length 1 in radians."""
    cosines = first.astype(np.float64) @ second.astype(np.float64).T
    values: Angles = np.arccos(cosines.clip(-1, 1))
    return values
