"""The serving graph of ``segue-accurate``: MusiCNN tags each window, and the head classifies a clip by its tags."""

from __future__ import annotations

import keras
import tensorflow as tf

from segue.trainer.accurate.head import MIN_TAG, SERVED_WINDOWS, Head
from segue.trainer.accurate.musicnn import FEATURES, TAGS
from segue.trainer.export.signatures import ServingGraph, mean_over_windows

TAGS_SHARE = 0.7
"""Weight of the tags relative to the posterior in an embedding; docs/adr/0013 explains the value."""


class AccurateServingGraph(ServingGraph):
    """The network of ``segue-accurate``.

    A window's feature vector is its 50 tags, each in [0, 1]. A clip's embedding joins two vectors of length 1: its
    posterior, and the mean of the standardised logits of its tags.
    """

    def __init__(self, backbone: keras.Model, head: Head, temperature: float) -> None:
        """Joins the parts.

        Args:
            backbone: network that ``segue.trainer.accurate.musicnn.build_backbone`` built.
            head: head over its tags.
            temperature: divisor of the log-posterior, above 0.
        """
        super().__init__((FEATURES.n_mels, FEATURES.columns), SERVED_WINDOWS, TAGS, len(head.bias) + TAGS)
        self._backbone, self._networks = backbone, list(head.networks)
        self._mean, self._spread = tf.constant(head.scale.mean), tf.constant(head.scale.spread)
        self._weights, self._bias = tf.constant(head.weights), tf.constant(head.bias)
        self._temperature = tf.constant(temperature, tf.float32)

    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": self._backbone(windows, training=False)}

    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self._standardised(features, mask)
        mean = mean_over_windows(logits, mask)
        outputs = [network([logits, mask], training=False) for network in self._networks]
        clip = self._log_posterior(mean, [clip for clip, _ in outputs])
        window = tf.nn.softmax(self._log_posterior(logits, [window for _, window in outputs]))
        posterior = tf.nn.softmax(clip)
        joined = tf.concat([tf.math.l2_normalize(posterior, -1), TAGS_SHARE * tf.math.l2_normalize(mean, -1)], -1)
        return {
            "posterior": posterior,
            "embedding": tf.math.l2_normalize(joined, -1),
            "window_posterior": tf.where(mask[..., None], window, 0.0),
        }

    def _standardised(self, tags: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Standardises the logits [clips, w, 50] of tags; they are 0 where a window is absent."""
        # Keeps the content of absent windows, even NaN, out of the sums.
        clipped = tf.clip_by_value(tf.where(mask[..., None], tags, 0.5), MIN_TAG, 1 - MIN_TAG)
        standardised = (tf.math.log(clipped / (1 - clipped)) - self._mean) / self._spread
        return tf.where(mask[..., None], standardised, 0.0)

    def _log_posterior(self, logits: tf.Tensor, outputs: list[tf.Tensor]) -> tf.Tensor:
        """Averages the log-posteriors of the discriminants of ``logits`` and of the networks, by their outputs."""
        discriminants = tf.nn.log_softmax(tf.tensordot(logits, self._weights, 1) + self._bias)
        networks = tf.add_n([tf.nn.log_softmax(output) for output in outputs]) / len(outputs)
        return (discriminants + networks) / (2 * self._temperature)
