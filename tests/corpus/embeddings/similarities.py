"""Cosines between clips by embeddings that were fitted without the artists of both."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from segue.trainer.accurate.head import HeadPlan, train_head
from segue.trainer.accurate.head_graph import HeadGraph
from segue.trainer.arrays import Floats, Positions
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.splits.split import artist_groups, gtzan_artists
from tests.corpus.embeddings.candidates import Candidate, HeadOutput
from tests.corpus.embeddings.clips import Clip
from tests.corpus.embeddings.layers import TAGS, Layers

FOLDS = 5

Head = Callable[[Layers], HeadOutput]
"""Computes the output of a head for clips."""

HeadFor = Callable[[frozenset[str]], Head]
"""Returns a head that was trained without some groups of tracks."""


def trained_heads(tracks: Sequence[TaggedTrack], labels: tuple[str, ...], plan: HeadPlan) -> HeadFor:
    """Trains a head for each set of groups that are excluded, named as in ``Clip``."""
    groups = artist_groups(gtzan_artists())

    def head_for(excluded: frozenset[str]) -> Head:
        known = [track for track in tracks if groups.get(track.track, track.track) not in excluded]
        trained = train_head(known, labels, plan)
        graph = HeadGraph(trained)

        def head(layers: Layers) -> HeadOutput:
            outputs = graph(tf.constant(layers.values[TAGS]), tf.constant(layers.mask))
            logits = Layers({TAGS: trained.scale(layers.values[TAGS]) * layers.mask[..., None]}, layers.mask)
            return HeadOutput(outputs["posterior"].numpy(), logits.mean(TAGS))

        return head

    return head_for


def artist_folds(clips: Sequence[Clip], seed: int = 0) -> Positions:
    """Draws the fold [n] of each clip, from 0; the clips of an artist have the same one."""
    groups = [clip.group for clip in clips]
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    folds = np.zeros(len(clips), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some genres have fewer clips than there are folds
        for fold, (_, inside) in enumerate(splitter.split(groups, [clip.genre for clip in clips], groups)):
            folds[inside] = fold
    return folds


def similarities(
    clips: Sequence[Clip],
    renditions: Sequence[Layers],
    candidates: Sequence[Candidate],
    head_for: HeadFor,
    report: Callable[[str], None],
    seed: int = 0,
) -> Mapping[str, Floats]:
    """Computes the cosines between renditions and clips.

    Args:
        clips: the clips.
        renditions: layers of each rendition of the clips; the first is the clips themselves.
        candidates: the embeddings.
        head_for: heads for the candidates.
        report: called before each pair of folds with its name.
        seed: seed of the folds.

    Returns:
        The cosines [renditions, n, n] of each candidate by its name, from a rendition of one clip to another clip.
    """
    folds = artist_folds(clips, seed)
    cosines = {
        candidate.name: np.zeros((len(renditions), len(clips), len(clips)), np.float32) for candidate in candidates
    }
    for pair in combinations_with_replacement(range(FOLDS), 2):
        report(f"folds {pair[0] + 1} and {pair[1] + 1} of {FOLDS}")
        is_inside = np.isin(folds, pair)
        inside, others = np.flatnonzero(is_inside), renditions[0].select(np.flatnonzero(~is_inside))
        head = head_for(frozenset(clips[row].group for row in inside.tolist()))
        selected = [layers.select(inside) for layers in renditions]
        outputs = [head(layers) for layers in selected]
        rows, columns = np.nonzero(_are_of(pair, folds[inside]))
        for candidate in candidates:
            embed = candidate.fit(others)
            vectors = np.stack([embed(*inputs) for inputs in zip(selected, outputs, strict=True)])
            block = vectors @ vectors[0].T
            cosines[candidate.name][:, inside[rows], inside[columns]] = block[:, rows, columns]
    return cosines


def _are_of(pair: tuple[int, int], folds: Positions) -> NDArray[np.bool_]:
    """Returns a matrix [n, n], true where one clip is of the first fold of a pair, and the other one of the second."""
    first, second = folds == pair[0], folds == pair[1]
    return np.outer(first, second) | np.outer(second, first)
