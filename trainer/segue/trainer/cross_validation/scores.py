"""Predictions of a cross-validation over artists, and their scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.trainer.arrays import AnyFloats, Floats, Positions
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.evaluation.calibration import apply_temperature, cross_fitted
from segue.trainer.evaluation.precision import K_VALUES, precision_of_each
from segue.trainer.evaluation.predictions import Predictions

_K = K_VALUES[-1]


@dataclass(frozen=True)
class CrossValidated:
    """Predictions for tracks by networks that were trained without their artists.

    Attributes:
        genres: true genres [n], as positions among the labels.
        posterior: [n, genres], each row by the network that was trained without the track's artist.
        window_posteriors: posteriors [w, genres] of each track's windows.
        precision: precision at 10 of each track [n], with the tracks of all other artists recommended by the same
            network; NaN where there are fewer than 10 or the embeddings are not known.
    """

    genres: Positions
    posterior: Floats
    window_posteriors: tuple[Floats, ...]
    precision: NDArray[np.float64]

    def at(self, temperature: float, tracks: Iterable[str], labels: tuple[str, ...]) -> Predictions:
        """Returns the predictions at a temperature, without embeddings: those of different networks are unlike.

        Args:
            temperature: divisor of the log-posterior, above 0.
            tracks: names of the tracks, [n].
            labels: the genres.
        """
        return Predictions(
            tracks=tuple(tracks),
            genres=self.genres,
            labels=labels,
            posterior=apply_temperature(self.posterior, temperature),
            embedding=np.zeros((len(self.genres), 0), np.float32),
            window_posteriors=tuple(apply_temperature(windows, temperature) for windows in self.window_posteriors),
        )


@dataclass(frozen=True)
class Scores:
    """Scores of each track, as means over the draws.

    Attributes:
        loss: log-loss [n] in nats, at temperatures that other tracks fitted.
        right: share [n] of the draws in which the first genre is right.
        precision: genre precision at 10 [n] with tracks of other artists recommended; see ``CrossValidated``.
    """

    loss: AnyFloats
    right: AnyFloats
    precision: AnyFloats

    @classmethod
    def of(cls, draws: Sequence[CrossValidated]) -> Scores:
        """Computes the scores of predictions for the same tracks."""
        return cls(
            loss=np.mean([log_losses(draw.posterior, draw.genres) for draw in draws], 0),
            right=np.mean([draw.posterior.argmax(1) == draw.genres for draw in draws], 0),
            precision=np.mean([draw.precision for draw in draws], 0),
        )

    def gains(self, other: Scores) -> Mapping[str, AnyFloats]:
        """Returns by how much the scores are better than others, by name, for each track [n]."""
        return {
            "log-loss": other.loss - self.loss,
            "accuracy": self.right - other.right,
            "P@10": self.precision - other.precision,
        }


def log_losses(posterior: AnyFloats, genres: Positions) -> AnyFloats:
    """Computes the log-loss [n] of each track in nats, at temperatures that other tracks fitted.

    Args:
        posterior: posteriors before a temperature, [n, genres].
        genres: true genres [n], as positions in a row.
    """
    fitted = cross_fitted(posterior, genres)
    at_others = posterior if fitted is None else fitted
    losses: AnyFloats = -np.log(np.maximum(at_others[np.arange(len(genres)), genres], 1e-30))
    return losses


def artist_figures(sample: ArtistSample, validated: CrossValidated) -> dict[str, float]:
    """Computes the intervals of accuracy and log-loss over artists, the precision at 10, and the number of artists.

    Args:
        sample: the tracks.
        validated: predictions for them.

    Returns:
        By name: artists (the number of artists with equally many tracks that would be worth as much), accuracy_low,
        accuracy_high, log_loss_low, log_loss_high (nats, at temperatures that other tracks fitted) and, with enough
        tracks, precision_at_10_other_artists, its _low and its _high.
    """
    scores = Scores.of([validated])
    figures = {"artists": sample.effective_artists()}
    for name, interval in (
        ("accuracy", sample.share_interval(scores.right)),
        ("log_loss", sample.interval(scores.loss)),
    ):
        figures |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    if not np.isnan(scores.precision).any():
        name, interval = "precision_at_10_other_artists", sample.interval(scores.precision)
        figures |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return figures


def other_artists_precision(
    genres: Positions, groups: NDArray[np.str_], vectors: AnyFloats, seeds: Positions | None = None
) -> NDArray[np.float64]:
    """Computes the precision at 10 of seeds [seeds] by the cosine of vectors, without tracks of the seed's artist.

    Args:
        genres: genre of each track [n].
        groups: artist of each track [n].
        vectors: [n, e]; e is 0 where they are not known.
        seeds: rows of the seeds, or None for all.

    Returns:
        The precision of each seed; NaN where there are fewer than 10 tracks of other artists, or no vectors.
    """
    seeds = np.arange(len(genres)) if seeds is None else seeds
    if not vectors.shape[1]:
        return np.full(len(seeds), np.nan)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit[seeds] @ unit.T
    own = groups[seeds][:, None] == groups
    cosine[own] = -np.inf
    shares = precision_of_each(_K, cosine, genres[seeds], genres)
    return np.where((~own).sum(1) < _K, np.nan, shares)
