"""The network of ``segue-fast``: a CNN for each window, an LSTM over the windows of a clip, a linear path beside both.

::

    window [bands, columns]
      ├── 2-D convolutions: what sounds where on the frequency axis ──┐
      ├── 1-D convolutions along time over all bands ─────────────────┴─ features ──┬── mean over windows ── logits
      │                                                                             └── LSTM over windows ── + logits
      └── statistics of bands, cepstra and peaks ── logistic regression ── logits of the linear path

The posterior is the normalised product of what the network and the linear path hold for likely.
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
        genres: how many are told apart.
        channels: of the 2-D convolutions; each is followed by a pooling by two both ways.
        line_channels: of the 1-D convolutions.
        width: of a window's features.
        memory: units of the LSTM.
        dropout: share of features that is left out while learning, in [0, 1).
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
    """The mean and the variance [bands] of each band over the windows that are learnt from."""

    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, windows: Floats) -> BandScale:
        """Measures windows [..., bands, columns]."""
        flat = windows.reshape(-1, *windows.shape[-2:])
        # A band that never sounds varies by nothing; 1 dB keeps it from being blown up.
        return cls(flat.mean((0, 2), dtype=np.float64).astype(np.float32), np.maximum(flat.var((0, 2)), 1.0))

    def layer(self) -> layers.Layer:
        """A layer that gives every band a mean of 0 and a spread of 1."""
        return layers.Normalization(axis=1, mean=self.mean, variance=self.variance)


def build_encoder(shape: Shape, scale: BandScale) -> keras.Model:
    """The CNN: windows [n, bands, columns] in, features [n, width] out."""
    windows = keras.Input((shape.bands, shape.columns))
    x = scale.layer()(windows)
    pooled = layers.Concatenate()([_plane(x, shape), _line(x, shape)])
    features = layers.Dense(shape.width, activation="relu")(layers.Dropout(shape.dropout)(pooled))
    return keras.Model(windows, features, name="encoder")


def build_decider(shape: Shape, windows: int | None = None) -> keras.Model:
    """The LSTM: features [clips, w, width] and mask [clips, w] in, logits of clips and of windows out.

    A clip's windows come first in its row, and absent ones behind them.

    Args:
        shape: the sizes.
        windows: windows in a clip, or None for any number.
    """
    features = keras.Input((windows, shape.width), name="features")
    mask = keras.Input((windows,), dtype="bool", name="mask")
    window_logits = layers.Dense(shape.genres)(layers.Dropout(shape.dropout)(features))
    present = ops.cast(ops.expand_dims(mask, -1), "float32")
    mean = ops.sum(window_logits * present, 1) / ops.maximum(ops.sum(present, 1), 1.0)
    states = layers.LSTM(shape.memory, return_sequences=True, use_cudnn=False)(layers.Dropout(0.5)(features))
    # The state at the last window that is there; what stands behind it has not been heard yet. A mask given to the
    # layer does the same through an operation that TensorFlow complains about on processors without AVX-512.
    following = ops.pad(present[:, 1:], [[0, 0], [0, 1], [0, 0]])
    remembered = ops.sum(states * present * (1 - following), 1)
    # It begins at nothing, so that the order of windows counts only as far as it helps.
    correction = layers.Dense(shape.genres, kernel_initializer="zeros")(layers.Dropout(0.5)(remembered))
    return keras.Model([features, mask], [mean + correction, window_logits], name="decider")


def build_linear(weights: Floats, bias: Floats) -> keras.Model:
    """A layer with given weights [statistics, genres] and bias [genres], which is not trained any more."""
    statistics = keras.Input((len(weights),))
    dense = layers.Dense(len(bias), trainable=False)
    model = keras.Model(statistics, dense(statistics), name="linear")
    dense.set_weights([weights, bias])
    return model


class ClipNetwork(keras.Model):  # type: ignore[misc]  # keras ships no types
    """Encoder and decider as one, for learning: windows [clips, w, bands, columns] and mask [clips, w] in."""

    def __init__(self, encoder: keras.Model, decider: keras.Model) -> None:
        super().__init__()
        self.encoder = encoder
        self.decider = decider

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Logits [clips, genres] of the clips and [clips, w, genres] of the windows."""
        windows = inputs["windows"]
        bands, columns = windows.shape[-2:]
        features = self.encoder(ops.reshape(windows, (-1, bands, columns)), training=training)
        by_clip = ops.reshape(features, (-1, ops.shape(windows)[1], features.shape[-1]))
        clip, window = self.decider([by_clip, inputs["mask"]], training=training)
        return {"clip": clip, "window": window}


def _plane(x: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    """2-D convolutions, pooled over time into four ranges of bands, and over everything."""
    # A convolution cannot tell low from high; a second channel says where on the frequency axis it is.
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


def _line(x: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    """1-D convolutions along time, with the bands as channels, pooled over time."""
    x = ops.transpose(x, (0, 2, 1))
    for channels in shape.line_channels:
        x = layers.Conv1D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization(momentum=0.99)(x)))
    return ops.concatenate(_moments(x, (1,)), -1)


def _moments(x: keras.KerasTensor, axes: tuple[int, ...]) -> list[keras.KerasTensor]:
    return [ops.mean(x, axes), ops.max(x, axes), ops.sqrt(ops.var(x, axes) + 1e-4)]
