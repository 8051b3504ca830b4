"""The embeddings that are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage

from segue.trainer.arrays import Floats
from tests.corpus.embeddings.layers import NORMALISED, PENULTIMATE, POOLED, TAGS, WIDTHS, Layers

SHARE = 0.7
"""Weight of an embedding that is joined with the posterior; docs/adr/0013 explains the value."""


class HeadOutput(NamedTuple):
    """The posterior [n, genres] of clips by a head, and the mean of the standardised logits of their tags [n, 50]."""

    posterior: Floats
    logits: Floats


Embed = Callable[[Layers, HeadOutput], Floats]
"""Computes the embeddings [n, width] of clips, each of length 1."""

Fit = Callable[[Layers], Embed]
"""Fits an embedding on the layers of other artists' clips."""


class Candidate(NamedTuple):
    """An embedding.

    Attributes:
        name: its name in tables.
        width: numbers of a track.
        fit: fits it.
    """

    name: str
    width: int
    fit: Fit


def unit(vectors: Floats) -> Floats:
    """Scales vectors [n, width] to length 1; vectors of zeros stay zeros."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


def plain(layer: str) -> Fit:
    """Returns the mean of a layer, as it is."""
    return lambda others: lambda layers, head: unit(layers.mean(layer))


def centred(layer: str) -> Fit:
    """Returns the mean of a layer, less its mean over the other clips."""

    def fit(others: Layers) -> Embed:
        centre = others.mean(layer).mean(0)
        return lambda layers, head: unit(layers.mean(layer) - centre)

    return fit


def whitened(layer: str, width: int) -> Fit:
    """Returns the principal components of a layer, each divided by its spread."""

    def fit(others: Layers) -> Embed:
        windows = others.windows(layer)
        centre, whitening = windows.mean(0), fit_whitening(windows, width)
        return lambda layers, head: unit((layers.mean(layer) - centre) @ whitening)

    return fit


def fit_whitening(windows: Floats, width: int) -> Floats:
    """Fits a whitening with a shrunk covariance (Ledoit and Wolf 2004).

    Shrinking towards a multiple of the identity keeps the principal components, and moves their variances towards the
    mean variance.

    Args:
        windows: a layer of windows, [windows, d].
        width: number of components, at most d and below the number of windows.

    Returns:
        The matrix [d, width] that whitens the difference to the mean.
    """
    spread = (windows - windows.mean(0)).astype(np.float64)
    shrinkage = ledoit_wolf_shrinkage(spread, assume_centered=True)
    _, singular, axes = np.linalg.svd(spread, full_matrices=False)
    variances = singular[:width] ** 2 / len(spread)
    shrunk = (1 - shrinkage) * variances + shrinkage * (spread**2).mean()
    whitening: Floats = (axes[:width] / np.sqrt(shrunk)[:, None]).T.astype(np.float32)
    return whitening


def joined(inner: Fit) -> Fit:
    """Returns the posterior joined with 0.7 times another embedding."""

    def fit(others: Layers) -> Embed:
        embed = inner(others)
        return lambda layers, head: unit(np.hstack([unit(head.posterior), SHARE * embed(layers, head)]))

    return fit


def _logits(others: Layers) -> Embed:
    return lambda layers, head: unit(head.logits)


def candidates(genres: int) -> tuple[Candidate, ...]:
    """Returns all candidates; the first is the embedding that shipped before the trial, the second the mean tags.

    Args:
        genres: number of genres of the head.
    """
    alone = [
        *(Candidate(f"{layer}, plain", WIDTHS[layer], plain(layer)) for layer in (PENULTIMATE, POOLED, NORMALISED)),
        *(Candidate(f"{layer}, centred", WIDTHS[layer], centred(layer)) for layer in (PENULTIMATE, POOLED)),
        *(
            Candidate(f"{layer}, whitened to {width}", width, whitened(layer, width))
            for layer in (PENULTIMATE, POOLED)
            for width in (64, 128)
        ),
    ]
    both = [Candidate(f"posterior + {name}", genres + width, joined(fit)) for name, width, fit in alone]
    former = Candidate("posterior + logits", genres + WIDTHS[TAGS], joined(_logits))
    return (former, Candidate("tags, plain", WIDTHS[TAGS], plain(TAGS)), *alone, *both)
