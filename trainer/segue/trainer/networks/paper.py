"""The paper's two networks on one window each; a clip is the mean of its windows' posteriors.

::

    window [bands, columns]
      └── four 2-D convolutions 32-64-128-128, batch normalisation, pooling
            ├── paper-cnn: flatten, dense 256-64, softmax
            └── paper-cnn-lstm: permute and reshape to columns, two LSTM layers of 128, dense 1024-256-64-32, softmax

docs/adr/0010 says how the paper is read where it leaves things open.
"""

from __future__ import annotations

import keras
from keras import layers

from segue.trainer.networks.segue_fast import Shape

CNN, CNN_LSTM = "paper-cnn", "paper-cnn-lstm"
CHANNELS = (32, 64, 128, 128)
# Bands are halved by all four, columns by two alone, so that the LSTM hears ten steps in a window.
POOLS = ((2, 2), (2, 2), (2, 1), (2, 1))
CNN_DENSE = (256, 64)
LSTM_DENSE = (1024, 256, 64, 32)
MEMORY = 128
DROPOUT = 0.5


def build_paper_encoder(name: str, shape: Shape, floor_db: float) -> keras.Model:
    """Windows [n, bands, columns] in, the last hidden layer [n, width] out; ``name`` is one of the two."""
    windows = keras.Input((shape.bands, shape.columns))
    # Decibels from the floor to 0 become -1 to 1.
    x = layers.Rescaling(-2 / floor_db, offset=1)(windows)
    x = layers.Reshape((shape.bands, shape.columns, 1))(x)
    for channels, pool in zip(CHANNELS, POOLS, strict=True):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.MaxPooling2D(pool, padding="same")(x)
    x = layers.Flatten()(x) if name == CNN else _remember(x)
    return keras.Model(windows, _dense(x, CNN_DENSE if name == CNN else LSTM_DENSE), name="encoder")


def _remember(x: keras.KerasTensor) -> keras.KerasTensor:
    """Maps [bands, columns, channels] as a sequence of columns, heard by two LSTM layers."""
    bands, columns, channels = x.shape[1:]
    x = layers.Reshape((columns, bands * channels))(layers.Permute((2, 1, 3))(x))
    x = layers.LSTM(MEMORY, return_sequences=True, use_cudnn=False)(x)
    return layers.LSTM(MEMORY, use_cudnn=False)(x)


def _dense(x: keras.KerasTensor, widths: tuple[int, ...]) -> keras.KerasTensor:
    for width in widths:
        x = layers.Dense(width, activation="relu")(x)
        if width > 64:
            x = layers.Dropout(DROPOUT)(x)
    return x
