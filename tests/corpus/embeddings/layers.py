"""MusiCNN's layers for the windows of clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from segue.core.features.extract import extract
from segue.trainer.accurate.head import SERVED_WINDOWS
from segue.trainer.accurate.musicnn import FEATURES
from segue.trainer.arrays import Floats
from segue.trainer.data.npz import read_npz, write_npz
from tests.corpus.embeddings.clips import RENDITIONS, Clip, render

TAGS, PENULTIMATE, POOLED, NORMALISED = LAYERS = ("tags", "penultimate", "pooled", "normalised")
"""The tags; the layer before them; the maximum and mean of all channels over time; the same, batch-normalised."""

WIDTHS = {TAGS: 50, PENULTIMATE: 200, POOLED: 1_506, NORMALISED: 1_506}


@dataclass(frozen=True)
class Layers:
    """The layers of clips.

    Attributes:
        values: values [n, 5, width] of each layer by its name, 0 where a window is absent.
        mask: [n, 5], true where a window is present; every clip has at least one.
    """

    values: Mapping[str, Floats]
    mask: NDArray[np.bool_]

    def select(self, rows: NDArray[np.int64]) -> Layers:
        """Returns the layers of some clips."""
        return Layers({name: values[rows] for name, values in self.values.items()}, self.mask[rows])

    def mean(self, layer: str) -> Floats:
        """Returns the mean [n, width] of a layer over the windows."""
        means: Floats = self.values[layer].sum(1) / self.mask.sum(1, keepdims=True)
        return means

    def windows(self, layer: str) -> Floats:
        """Returns a layer of all windows of all clips, [windows, width]."""
        return self.values[layer][self.mask]


def layers_model(backbone: keras.Model) -> keras.Model:
    """Returns MusiCNN with all of ``LAYERS`` as outputs, in their order."""
    pooled, penultimate = backbone.get_layer("batch_normalization_9"), backbone.get_layer("batch_normalization_10")
    tags = backbone.get_layer("dense_1")
    return keras.Model(backbone.input, [tags.output, penultimate.output, pooled.input, pooled.output])


def compute_layers(clips: Sequence[Clip], backbone: keras.Model, report: Callable[[int], None]) -> Mapping[str, Layers]:
    """Computes the layers of each rendition of each clip.

    Args:
        clips: the clips.
        backbone: MusiCNN.
        report: called after each clip with its number, from 1.

    Returns:
        The layers by the names in ``RENDITIONS``.
    """
    model = tf.function(layers_model(backbone), reduce_retracing=True)
    outputs = []
    for number, clip in enumerate(clips, 1):
        outputs.append(_compute(clip.path, model))
        report(number)
    return {name: _stack([rendered[place] for rendered in outputs]) for place, name in enumerate(RENDITIONS)}


def save_layers(path: Path, clips: Sequence[Clip], layers: Mapping[str, Layers]) -> None:
    """Writes the layers of clips to a file that ``read_layers`` reads."""
    fields = {f"{rendition}/{name}": values for rendition, x in layers.items() for name, values in x.values.items()}
    masks = {f"{rendition}/mask": x.mask for rendition, x in layers.items()}
    write_npz(path, {"clips": _names(clips), **fields, **masks})


def read_layers(path: Path, clips: Sequence[Clip]) -> Mapping[str, Layers]:
    """Reads the layers of clips from a file.

    Raises:
        ValueError: the file has the layers of other clips.
    """
    fields = read_npz(path)
    if not np.array_equal(fields["clips"], _names(clips)):
        raise ValueError(f"{path} has the layers of other clips. Name another file.")
    return {
        rendition: Layers({name: fields[f"{rendition}/{name}"] for name in LAYERS}, fields[f"{rendition}/mask"])
        for rendition in RENDITIONS
    }


def _names(clips: Sequence[Clip]) -> NDArray[np.str_]:
    return np.array([clip.path.name for clip in clips])


def _compute(clip: Path, model: Callable[[Floats], Sequence[tf.Tensor]]) -> list[list[Floats]]:
    """Returns the layers [windows, width] of each rendition of a clip."""
    windows = [extract(audio, FEATURES, SERVED_WINDOWS).windows.values for audio in render(clip)]
    ends = np.cumsum([len(values) for values in windows])[:-1]
    outputs = [np.split(output.numpy(), ends) for output in model(np.concatenate(windows))]
    return [list(rendition) for rendition in zip(*outputs, strict=True)]


def _stack(clips: Sequence[Sequence[Floats]]) -> Layers:
    counts = np.array([len(clip[0]) for clip in clips])
    values = {
        name: np.stack([np.pad(clip[place], ((0, SERVED_WINDOWS - len(clip[place])), (0, 0))) for clip in clips])
        for place, name in enumerate(LAYERS)
    }
    return Layers(values, np.arange(SERVED_WINDOWS) < counts[:, None])
