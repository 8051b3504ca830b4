"""Networks after training, part by part."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from segue.trainer.networks.segue_fast import BandScale, Shape


@dataclass(frozen=True)
class TrainedFast:
    """A trained network, part by part.

    Attributes:
        encoder: windows to features.
        decider: features of any number of windows to logits.
        statistics: windows to the statistics of their sound.
        linear: those to logits.
        shape: the sizes.
        scale: of the bands.
        history: figures of each epoch, by name.
        best_epoch: the epoch whose weights these are, from 1.
        seconds: wall time of all epochs, or None where it is not known.
    """

    encoder: keras.Model
    decider: keras.Model
    statistics: keras.Model
    linear: keras.Model
    shape: Shape
    scale: BandScale
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float | None = None


@dataclass(frozen=True)
class TrainedPaper:
    """One of the paper's networks, trained.

    Attributes:
        encoder: windows [n, bands, columns] to the last hidden layer [n, width].
        head: that to logits [n, genres].
        shape: the sizes.
        history: figures of each epoch, by name; of windows, not of clips.
        best_epoch: the epoch whose weights these are, from 1.
        seconds: wall time of all epochs, or None where it is not known.
    """

    encoder: keras.Model
    head: keras.Model
    shape: Shape
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float | None = None
