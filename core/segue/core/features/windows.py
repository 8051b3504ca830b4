"""The windows of a track: their positions and their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Windows:
    """The windows of one track.

    Attributes:
        values: log-mel [w, bands, columns] on the network's scale, in the order of time, without silent windows.
        starts: start of each window [w] in seconds from the start of the track.
        silent: number of silent windows, which were left out.
        short: True if the track has no room for a second window.
    """

    values: NDArray[np.float32]
    starts: NDArray[np.float64]
    silent: int = 0
    short: bool = False


def spread_starts(columns: int, width: int, max_windows: int) -> NDArray[np.int64]:
    """Returns the first columns of the windows: as many as fit without overlap, up to a maximum, spread evenly.

    In a clip of 30 s they reach from the start to the end. The intro and the ending of a long track are less typical of
    it, so a margin is left out at each end: for n windows, max(0, columns / (2 * n) - width) columns.

    Args:
        columns: number of columns in the track, at least ``width``.
        width: number of columns in a window.
        max_windows: greatest number of windows, at least 1.

    Returns:
        First columns [w], ascending. A clip of 30 s has 387 or 388 columns, and so 10 windows of 39.
    """
    # Rounded to the nearest: 387 columns are 9.92 windows, and the paper divides a clip into 10.
    count = min(max_windows, max(1, (2 * columns + width) // (2 * width)))
    return np.round(spread_positions(columns, width, count)).astype(np.int64)


def spread_positions(length: float, width: float, count: int) -> NDArray[np.float64]:
    """Returns the starts [count] of windows that are spread as by ``spread_starts``, in the unit of the length.

    Args:
        length: length of the track, at least the width.
        width: length of a window.
        count: number of windows, at least 1.
    """
    margin = max(0.0, length / (2 * count) - width)
    return np.linspace(margin, length - width - margin, count)
