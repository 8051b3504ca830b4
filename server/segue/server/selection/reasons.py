"""Finds out why tracks are recommended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from segue.core.catalogue.window_embeddings import WindowEmbeddings
from segue.core.index.vector_index import Vectors
from segue.core.selection.track_table import Traits


class SeedPart(NamedTuple):
    """A seed of several.

    Attributes:
        embedding: its embedding [e] of length 1.
        weight: its weight, not 0.
        traits: its predicted genre and tags, as far as they are known.
        track_id: its id if it is a track, whose genre and tags are not read yet.
        windows: the embeddings of its windows if it is a clip, and they were requested.
    """

    embedding: Vectors
    weight: float = 1.0
    traits: Traits = Traits()
    track_id: str = ""
    windows: WindowEmbeddings | None = None


class Reason(NamedTuple):
    """The reason why a track is recommended.

    Attributes:
        seed: number of the seed that contributes most to its similarity.
        similarity: cosine of the angle between the embeddings of both.
        common: the predicted genre and the tags that both have.
    """

    seed: int
    similarity: float
    common: Traits


def find_reasons(seeds: Sequence[SeedPart], embeddings: Vectors, traits: Sequence[Traits]) -> list[Reason]:
    """Returns the reason for each of some tracks.

    Args:
        seeds: the seeds, at least one with a weight above 0.
        embeddings: the embeddings [n, e] of the tracks, of length 1.
        traits: their genres and tags [n].
    """
    similarities = embeddings @ np.stack([seed.embedding for seed in seeds]).T
    weights = np.array([seed.weight for seed in seeds], np.float32)
    # A disliked seed is no reason, however small the similarity to the others is.
    chosen = np.where(weights > 0, weights * similarities, -np.inf).argmax(axis=1)
    return [
        Reason(int(seed), float(similarities[row, seed]), seeds[seed].traits.common(traits[row]))
        for row, seed in enumerate(chosen)
    ]
