"""The paper's two networks, on one window each; a clip is the mean of its windows' posteriors.

::

    window [bands, columns]
      └── four 2-D convolutions 32-64-128-128, batch normalisation, pooling
            ├── paper-cnn: flatten, dense 256-64, softmax
            └── paper-cnn-lstm: permute and reshape to columns, two LSTM layers of 128, dense 1024-256-64-32, softmax

docs/adr/0010 explains the reading of the paper where it leaves something open.
"""

from __future__ import annotations

import keras
from keras import layers

from segue.trainer.networks.segue_fast import Shape

CNN, CNN_LSTM = "paper-cnn", "paper-cnn-lstm"
CHANNELS = (32, 64, 128, 128)
# All four halve the bands, and only two the columns, which leaves the LSTM ten steps in a window.
POOLS = ((2, 2), (2, 2), (2, 1), (2, 1))
CNN_DENSE = (256, 64)
LSTM_DENSE = (1024, 256, 64, 32)
LSTM_UNITS = 128
DROPOUT = 0.5


def hidden_width(name: str) -> int:
    """Returns the width of the last hidden layer of a network, by its name."""
    return _dense_widths(name)[-1]


def build_paper_encoder(name: str, shape: Shape, floor_db: float) -> keras.Model:
    """Builds a network up to its last hidden layer.

    Args:
        name: "paper-cnn" or "paper-cnn-lstm".
        shape: sizes of a window.
        floor_db: lowest decibels of a window, below 0.

    Returns:
        Windows [n, bands, columns] in, the last hidden layer [n, width] out.
    """
    windows = keras.Input((shape.bands, shape.columns))
    # Maps decibels from the floor to 0 onto -1 to 1.
    x = layers.Rescaling(-2 / floor_db, offset=1)(windows)
    x = layers.Reshape((shape.bands, shape.columns, 1))(x)
    for channels, pool in zip(CHANNELS, POOLS, strict=True):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.MaxPooling2D(pool, padding="same")(x)
    x = layers.Flatten()(x) if name == CNN else _lstm_over_columns(x)
    return keras.Model(windows, _dense(x, _dense_widths(name)), name="encoder")


def _dense_widths(name: str) -> tuple[int, ...]:
    return CNN_DENSE if name == CNN else LSTM_DENSE


def _lstm_over_columns(x: keras.KerasTensor) -> keras.KerasTensor:
    """Applies two LSTM layers to maps [bands, columns, channels], as a sequence of columns."""
    bands, columns, channels = x.shape[1:]
    x = layers.Reshape((columns, bands * channels))(layers.Permute((2, 1, 3))(x))
    x = layers.LSTM(LSTM_UNITS, return_sequences=True, use_cudnn=False)(x)
    return layers.LSTM(LSTM_UNITS, use_cudnn=False)(x)


def _dense(x: keras.KerasTensor, widths: tuple[int, ...]) -> keras.KerasTensor:
    for width in widths:
        x = layers.Dense(width, activation="relu")(x)
        if width > 64:
            x = layers.Dropout(DROPOUT)(x)
    return x
