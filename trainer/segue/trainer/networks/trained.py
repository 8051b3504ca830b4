"""Networks after training, part by part."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from segue.trainer.networks.segue_fast import BandScale, Shape


@dataclass(frozen=True)
class TrainedFast:
    """The trained network of ``segue-fast``.

    Attributes:
        encoder: windows to features.
        decider: features of any number of windows to logits.
        statistics: windows to their statistics.
        linear: statistics to logits.
        shape: sizes of the network.
        scale: scale of the bands.
        history: figures of each epoch, by name.
        best_epoch: the epoch that the weights are from, from 1.
        seconds: wall time of all epochs, or None where it is unknown.
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
    """One of the paper's networks after training.

    Attributes:
        encoder: windows [n, bands, columns] to the last hidden layer [n, width].
        head: the last hidden layer to logits [n, genres].
        shape: sizes of the network.
        history: figures of each epoch by name, over windows rather than clips.
        best_epoch: the epoch that the weights are from, from 1.
        seconds: wall time of all epochs, or None where it is unknown.
    """

    encoder: keras.Model
    head: keras.Model
    shape: Shape
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float | None = None


AnyTrained = TrainedFast | TrainedPaper
