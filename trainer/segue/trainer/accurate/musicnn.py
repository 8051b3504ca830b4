"""MusiCNN, a CNN that was trained on 200,000 songs, rebuilt from its published architecture (Pons and Serra 2019).

::

    log-mel [96 bands, 187 columns]
      ├── timbre: filters of 7 columns over 38 and over 67 bands, the loudest position on the frequency axis ──┐
      ├── tempo: filters of 128, 64 and 32 columns in each band, the loudest band ─────────────────────────────┴─ front
      front ── three convolutions of 7 columns, each added to the one before ── front, 1, 2 and 3 side by side
        ── maximum and mean over time ── dense 200 ── 50 tags, each in [0, 1]

The weights ``MSD_musicnn`` predict the 50 tags that are most frequent in the Million Song Dataset.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers, ops

from segue.core.features.config import ColumnGrid, FeatureConfig
from segue.trainer.arrays import Floats

FEATURES = FeatureConfig(
    sample_rate=16_000,
    n_fft=512,
    hop=256,
    n_mels=96,
    fmax=8_000.0,
    scale="log10_10000",
    columns=187,
    grid=ColumnGrid(),
    level_dbfs=-17.0,
    trim_db=-60.0,
)
"""The front end that the weights were trained with, at the level of usual recordings; docs/adr/0041 explains it."""

TAG_NAMES = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock"),
    *("jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow"),
    *("electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient"),
    *("acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening"),
    *("sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad"),
    *("House", "happy"),
)
"""Names of the tags in the order of the output, spelled as the weights were published with."""

TAGS = len(TAG_NAMES)
"""Number of tags, each in [0, 1]."""

LAYER = 200
"""Width of the layer before the tags, after its batch normalisation; its values have no fixed range."""

_TIMBRE = (("conv2d", "batch_normalization_1", 38), ("conv2d_1", "batch_normalization_2", 67))
_TEMPO = (
    ("conv2d_2", "batch_normalization_3", 128),
    ("conv2d_3", "batch_normalization_4", 64),
    ("conv2d_4", "batch_normalization_5", 32),
)
_MIDDLE = tuple((f"conv2d_{n}", f"batch_normalization_{n + 1}") for n in (5, 6, 7))
_EPSILON = 1e-3  # of TensorFlow 1's batch normalisation

# MusiCNN was trained on audio from a resampler that attenuates frequencies above 7.3 kHz, unlike the audio that comes
# in here. These factors give the upper three bands the level that the network expects, as measured on 36 clips
# (docs/adr/0013). Part of that level is estimated from the band below, so that a file at 16 kHz and the same music at
# 44.1 kHz get similar tags.
_FIRST_ATTENUATED = 93
_GAINS = (0.939, 0.641)
_MEASURED_SHARE = 0.6
_NEXT_TO_LAST_OF_BELOW, _LAST_OF_NEXT = 0.419, 0.126

Weights = Callable[[str], Floats]
"""Returns the values of a variable by its name in the checkpoint."""


def build_backbone(weights: Weights) -> keras.Model:
    """Builds the frozen network: windows [n, 96, 187] of ``FEATURES`` in, their features [n, 250] out.

    The features of a window are its tags, in [0, 1], and then the layer before the tags.

    Args:
        weights: the variables of the checkpoint ``MSD_musicnn``.

    Raises:
        KeyError: a variable is missing.
        ValueError: a variable has another shape.
    """
    windows = keras.Input((FEATURES.n_mels, FEATURES.columns))
    build = _Builder(weights)
    x = build.norm("batch_normalization", ops.transpose(_attenuate_upper_bands(windows), (0, 2, 1))[..., None])
    wide = ops.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])
    front = [build.loudest_band(name, norm, wide, (7, bands), "valid") for name, norm, bands in _TIMBRE]
    front += [build.loudest_band(name, norm, x, (columns, 1), "same") for name, norm, columns in _TEMPO]
    maps = [ops.concatenate(front, -1)]
    for depth, (name, norm) in enumerate(_MIDDLE):
        convolved = build.along_time(name, norm, maps[-1])
        maps.append(convolved + maps[-1] if depth else convolved)
    every = ops.concatenate(maps, -1)
    # The weights of the dense layer expect the maximum and the mean of each channel side by side.
    pooled = ops.reshape(ops.stack([ops.max(every, 1), ops.mean(every, 1)], -1), (-1, 2 * every.shape[-1]))
    pooled = build.norm("batch_normalization_9", pooled)
    penultimate = build.norm("batch_normalization_10", build.dense("dense", pooled, "relu"))
    tags = build.dense("dense_1", penultimate, "sigmoid")
    model = keras.Model(windows, ops.concatenate([tags, penultimate], -1), name="musicnn")
    build.load(model)
    return model


def _attenuate_upper_bands(windows: keras.KerasTensor) -> keras.KerasTensor:
    """Gives the upper bands of windows [n, 96, 187] the level that the network was trained on."""
    power = (10 ** windows[:, _FIRST_ATTENUATED - 1 :] - 1) / 10_000
    first, measured = _GAINS[0] * power[:, 1], _GAINS[1] * power[:, 2]
    second = _MEASURED_SHARE * measured + (1 - _MEASURED_SHARE) * _NEXT_TO_LAST_OF_BELOW * power[:, 0]
    upper = ops.stack([first, second, _LAST_OF_NEXT * second], 1)
    return ops.concatenate([windows[:, :_FIRST_ATTENUATED], ops.log10(1 + 10_000 * upper)], 1)


class _Builder:
    """Creates layers under the names of the checkpoint, and loads their weights once the network is built."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def norm(self, name: str, x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.BatchNormalization(epsilon=_EPSILON, trainable=False, name=name)(x)

    def dense(self, name: str, x: keras.KerasTensor, activation: str) -> keras.KerasTensor:
        units = len(self._weights(f"{name}/bias"))
        return layers.Dense(units, activation=activation, trainable=False, name=name)(x)

    def loudest_band(
        self, name: str, norm: str, x: keras.KerasTensor, kernel: tuple[int, int], padding: str
    ) -> keras.KerasTensor:
        """Applies a convolution to [n, time, bands, 1], and takes each filter's maximum band: [n, time, filters]."""
        filters = len(self._weights(f"{name}/bias"))
        convolve = layers.Conv2D(filters, kernel, padding=padding, activation="relu", trainable=False, name=name)
        return ops.max(self.norm(norm, convolve(x)), 2)

    def along_time(self, name: str, norm: str, x: keras.KerasTensor) -> keras.KerasTensor:
        """Applies a convolution of 7 columns over all channels: [n, time, channels] in, [n, time, filters] out."""
        filters = len(self._weights(f"{name}/bias"))
        convolve = layers.Conv1D(filters, 7, padding="same", activation="relu", trainable=False, name=name)
        return self.norm(norm, convolve(x))

    def load(self, model: keras.Model) -> None:
        for layer in model.layers:
            if layer.weights:
                names = [weight.path.split("/", 1)[1] for weight in layer.weights]
                values = [self._weights(f"{layer.name}/{name}") for name in names]
                layer.set_weights(
                    [value.reshape(weight.shape) for value, weight in zip(values, layer.weights, strict=True)]
                )
