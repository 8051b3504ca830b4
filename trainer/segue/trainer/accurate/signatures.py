"""The serving graph of ``segue-accurate``: MusiCNN tags each window, and the head classifies a clip by its tags."""

from __future__ import annotations

import keras
import tensorflow as tf

from segue.trainer.accurate.head import Head
from segue.trainer.accurate.head_graph import HeadGraph
from segue.trainer.accurate.musicnn import FEATURES, TAGS
from segue.trainer.export.signatures import ServingGraph


class AccurateServingGraph(ServingGraph):
    """The network of ``segue-accurate``.

    A window's feature vector is its 50 tags, each in [0, 1].
    """

    def __init__(self, backbone: keras.Model, head: Head, temperature: float) -> None:
        """Joins the parts.

        Args:
            backbone: network that ``segue.trainer.accurate.musicnn.build_backbone`` built.
            head: head over its tags.
            temperature: divisor of the log-posterior, above 0.
        """
        genres = len(head.discriminants.bias)
        super().__init__((FEATURES.n_mels, FEATURES.columns), head.windows, TAGS, genres + TAGS)
        self._backbone, self._head = backbone, HeadGraph(head, temperature)

    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": self._backbone(windows, training=False)}

    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._head(features, mask)
