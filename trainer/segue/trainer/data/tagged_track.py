"""A labelled track with the tags of its windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from segue.core.features.windows import spread_positions
from segue.trainer.arrays import Floats

MAX_SIDE_BY_SIDE = 10
"""Largest number of windows of a track that do not overlap; those of a track with more do, in a clip of 30 s."""


@dataclass(frozen=True)
class TaggedTrack:
    """A labelled track with its tags.

    Attributes:
        track: name of the track.
        genre: the track's genre.
        tags: tags [w, 50] in [0, 1] of its windows, in the order of time.
        layer: the layer before the tags [w, 200] of the same windows, or None where it is not known.
    """

    track: str
    genre: str
    tags: Floats
    layer: Floats | None = None

    def spread(self, max_windows: int) -> TaggedTrack:
        """Returns the track with at most ``max_windows`` windows, spread over the clip.

        They are the windows nearest to those that would be extracted from the clip's audio
        (``segue.core.features.windows.spread_starts``): five reach from the first to the last, one is near the middle.

        Args:
            max_windows: largest number of windows, at least 1.
        """
        length = min(len(self.tags), MAX_SIDE_BY_SIDE)
        places = spread_positions(length, 1, min(max_windows, length))
        if len(self.tags) > length:
            places = places * (len(self.tags) - 1) / (length - 1)
        rows = np.round(places).astype(int)
        return replace(self, tags=self.tags[rows], layer=None if self.layer is None else self.layer[rows])
