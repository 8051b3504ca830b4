"""The network of ``segue-fast``: a CNN over each window, an LSTM over the windows of a clip, and a linear path.

::

    window [bands, columns]
      ├── 2-D convolutions over bands and time, with the band's height ──┐
      ├── 1-D convolutions along time over all bands ────────────────────┴─ features ──┬── mean over windows ── logits
      │                                                                                └── LSTM over windows ── + logits
      └── statistics of bands, cepstra and peaks ── logistic regression ── logits of the linear path

The posterior is the normalised product of the network's posterior and the linear path's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from segue.trainer.arrays import Floats


@dataclass(frozen=True)
class Shape:
    """The sizes of the network.

    Attributes:
        bands: mel bands of a window.
        columns: columns of a window.
        genres: number of genres.
        channels: channels of each 2-D convolution, which a pooling by two in both directions follows.
        line_channels: channels of each 1-D convolution.
        width: length of a window's feature vector.
        memory: units of the LSTM.
        dropout: share of features that is dropped in training, in [0, 1).
    """

    bands: int
    columns: int
    genres: int
    channels: tuple[int, ...] = (16, 32, 64, 96)
    line_channels: tuple[int, ...] = (64, 64)
    width: int = 96
    memory: int = 32
    dropout: float = 0.4


@dataclass(frozen=True)
class BandScale:
    """The mean and the variance [bands] of each band over the training windows."""

    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, windows: Floats) -> BandScale:
        """Measures windows [..., bands, columns]."""
        flat = windows.reshape(-1, *windows.shape[-2:])
        # A band that is always silent has no variance; at least 1 dB keeps it from being amplified without limit.
        return cls(flat.mean((0, 2), dtype=np.float64).astype(np.float32), np.maximum(flat.var((0, 2)), 1.0))

    def layer(self) -> layers.Layer:
        """Builds a layer that gives each band mean 0 and variance 1."""
        return layers.Normalization(axis=1, mean=self.mean, variance=self.variance)


def build_encoder(shape: Shape, scale: BandScale) -> keras.Model:
    """Builds the CNN: windows [n, bands, columns] in, features [n, width] out."""
    windows = keras.Input((shape.bands, shape.columns))
    x = scale.layer()(windows)
    pooled = layers.Concatenate()([_convolve_planes(x, shape), _convolve_lines(x, shape)])
    features = layers.Dense(shape.width, activation="relu")(layers.Dropout(shape.dropout)(pooled))
    return keras.Model(windows, features, name="encoder")


def build_decider(shape: Shape, windows: int | None = None) -> keras.Model:
    """Builds the LSTM: features [clips, w, width] and mask [clips, w] in, logits of clips and of windows out.

    The windows of a clip come first in its row, absent ones last.

    Args:
        shape: sizes of the network.
        windows: number of windows in a clip, or None for any.
    """
    features = keras.Input((windows, shape.width), name="features")
    mask = keras.Input((windows,), dtype="bool", name="mask")
    window_logits = layers.Dense(shape.genres)(layers.Dropout(shape.dropout)(features))
    present = ops.cast(ops.expand_dims(mask, -1), "float32")
    mean = ops.sum(window_logits * present, 1) / ops.maximum(ops.sum(present, 1), 1.0)
    states = layers.LSTM(shape.memory, return_sequences=True, use_cudnn=False)(layers.Dropout(0.5)(features))
    # Selects the state at the last present window, which does not depend on the absent ones after it. The layer's own
    # mask would do the same by an operation that TensorFlow warns about on processors without AVX-512.
    following = ops.pad(present[:, 1:], [[0, 0], [0, 1], [0, 0]])
    last_state = ops.sum(states * present * (1 - following), 1)
    # The correction starts at zero, so that the order of windows counts only as far as it helps.
    correction = layers.Dense(shape.genres, kernel_initializer="zeros")(layers.Dropout(0.5)(last_state))
    return keras.Model([features, mask], [mean + correction, window_logits], name="decider")


def build_linear(weights: Floats, bias: Floats) -> keras.Model:
    """Builds a layer with fixed weights [statistics, genres] and bias [genres]."""
    statistics = keras.Input((len(weights),))
    dense = layers.Dense(len(bias), trainable=False)
    model = keras.Model(statistics, dense(statistics), name="linear")
    dense.set_weights([weights, bias])
    return model


class ClipNetwork(keras.Model):  # type: ignore[misc]  # keras ships no types
    """Encoder and decider as one network, for training.

    The inputs are windows [clips, w, bands, columns] and a mask [clips, w].
    """

    def __init__(self, encoder: keras.Model, decider: keras.Model) -> None:
        super().__init__()
        self.encoder = encoder
        self.decider = decider

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Computes the logits [clips, genres] of the clips and [clips, w, genres] of the windows."""
        windows = inputs["windows"]
        bands, columns = windows.shape[-2:]
        features = self.encoder(ops.reshape(windows, (-1, bands, columns)), training=training)
        by_clip = ops.reshape(features, (-1, ops.shape(windows)[1], features.shape[-1]))
        clip, window = self.decider([by_clip, inputs["mask"]], training=training)
        return {"clip": clip, "window": window}


def _convolve_planes(x: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    """Applies 2-D convolutions, pooled over time into four ranges of bands, and over everything."""
    # A convolution sees no absolute position; a second channel holds the height on the frequency axis.
    height = np.linspace(-1, 1, shape.bands, dtype=np.float32)[None, :, None]
    x = ops.stack([x, ops.zeros_like(x) + height], -1)
    for depth, channels in enumerate(shape.channels):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.99)(x))
        x = layers.MaxPooling2D(2, padding="same")(x)
        if depth > 0:
            x = layers.SpatialDropout2D(0.1)(x)
    ranges = layers.Flatten()(layers.AveragePooling1D(2, padding="same")(ops.mean(x, 2)))
    return ops.concatenate([ranges, *_moments(x, (1, 2))], -1)


def _convolve_lines(x: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    """Applies 1-D convolutions along time, with the bands as channels, pooled over time."""
    x = ops.transpose(x, (0, 2, 1))
    for channels in shape.line_channels:
        x = layers.Conv1D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization(momentum=0.99)(x)))
    return ops.concatenate(_moments(x, (1,)), -1)


def _moments(x: keras.KerasTensor, axes: tuple[int, ...]) -> list[keras.KerasTensor]:
    return [ops.mean(x, axes), ops.max(x, axes), ops.sqrt(ops.var(x, axes) + 1e-4)]
