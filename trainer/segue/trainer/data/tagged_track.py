"""A labelled track with the tags of its windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.trainer.arrays import Floats


@dataclass(frozen=True)
class TaggedTrack:
    """A labelled track with its tags.

    Attributes:
        track: name of the track.
        genre: the track's genre.
        tags: tags [w, 50] in [0, 1] of its windows, in the order of time.
    """

    track: str
    genre: str
    tags: Floats

    def spread(self, max_windows: int) -> Floats:
        """Returns the tags [w, 50] of at most ``max_windows`` windows, spread over the clip from first to last.

        The windows of a clip that is extracted from audio are spread in the same way
        (``segue.core.features.windows.spread_starts``).
        """
        count = min(max_windows, len(self.tags))
        selected: Floats = self.tags[np.round(np.linspace(0, len(self.tags) - 1, count)).astype(int)]
        return selected
