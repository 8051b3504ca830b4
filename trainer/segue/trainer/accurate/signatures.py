"""The serving graph of ``segue-accurate``: MusiCNN computes the features of each window, and the head classifies.

A clip's embedding is the mean of MusiCNN's layer before the tags over its windows, of length 1. docs/adr/0053 compares
it with others.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from segue.trainer.accurate.head import Head
from segue.trainer.accurate.head_graph import HeadGraph
from segue.trainer.accurate.musicnn import FEATURES, LAYER, TAGS
from segue.trainer.export.signatures import ServingGraph, mean_over_windows


class AccurateServingGraph(ServingGraph):
    """The network of ``segue-accurate``.

    A window's feature vector is its 50 tags, each in [0, 1], and then the layer before them.
    """

    def __init__(self, backbone: keras.Model, head: Head, temperature: float) -> None:
        """Joins the parts.

        Args:
            backbone: network that ``segue.trainer.accurate.musicnn.build_backbone`` built.
            head: head over its tags.
            temperature: divisor of the log-posterior, above 0.
        """
        super().__init__((FEATURES.n_mels, FEATURES.columns), head.windows, TAGS + LAYER, LAYER)
        self._backbone, self._head = backbone, HeadGraph(head, temperature)

    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": self._backbone(windows, training=False)}

    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self._head(features[..., :TAGS], mask)
        # Keeps the content of absent windows, even NaN, out of the sums.
        layer = mean_over_windows(tf.where(mask[..., None], features[..., TAGS:], 0.0), mask)
        return {**outputs, "embedding": tf.math.l2_normalize(layer, -1)}
