"""The seeds and the catalogue of a judgement of recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from segue.core.features.fingerprint import Fingerprint
from segue.core.index.copies import find_copies
from segue.core.index.vector_index import ExactIndex
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.recommendations.owners import TrackOwners
from segue.trainer.splits.connected_tracks import connect
from segue.trainer.splits.split import known_duplicates


@dataclass(frozen=True)
class JudgedTracks:
    """The seeds, and the catalogue from which tracks are recommended to them.

    Attributes:
        seeds: the seeds; they have embeddings.
        pool: the tracks of the catalogue, or None if these are the seeds, and no seed is recommended to itself.
        owners: artists and albums.
        fingerprints: the fingerprint of each track that has one.
    """

    seeds: Predictions
    pool: Predictions | None
    owners: TrackOwners = field(default_factory=TrackOwners)
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)

    @property
    def catalogue(self) -> Predictions:
        """The tracks of the catalogue."""
        return self.seeds if self.pool is None else self.pool

    def found_copies(self) -> dict[str, str]:
        """Returns the group of each track with copies, as the index of a catalogue with all tracks would have it."""
        sides = [self.seeds, *([self.pool] if self.pool else [])]
        tracks = [track for side in sides for track in side.tracks]
        vectors = np.concatenate([side.embedding for side in sides])
        return find_copies(
            ExactIndex(tracks, vectors), vectors, lambda page: [self.fingerprints.get(track) for track in page]
        )

    def recordings(self, copies: Mapping[str, str]) -> dict[str, str]:
        """Returns the recording of each track: that of the copies that were found, and of GTZAN's known duplicates."""
        tracks = sorted({*self.seeds.tracks, *self.catalogue.tracks})
        return connect(tracks, [*known_duplicates(), *((group, track) for track, group in copies.items())])
