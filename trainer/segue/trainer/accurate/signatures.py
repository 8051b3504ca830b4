"""The graph of ``segue-accurate``: MusiCNN hears each window, the head judges the tags of a clip's windows."""

from __future__ import annotations

import keras
import tensorflow as tf

from segue.trainer.accurate.head import MIN_TAG, WINDOWS, Head
from segue.trainer.accurate.musicnn import FEATURES, TAGS
from segue.trainer.export.signatures import ServingGraph, mean_over_windows

TAGS_SHARE = 0.7
"""How much the tags count in an embedding beside the posterior; docs/adr/0013 says how it was chosen."""


class AccurateServingGraph(ServingGraph):
    """A window's feature vector is its 50 tags, each in [0, 1].

    A clip's embedding is its posterior beside the mean of the standardised logits of its tags, each of length 1 before
    they are joined.
    """

    def __init__(self, backbone: keras.Model, head: Head, temperature: float) -> None:
        """Joins the parts.

        Args:
            backbone: what ``segue.trainer.accurate.musicnn.build_backbone`` builds.
            head: over its tags.
            temperature: what the log-posterior is divided by, above 0.
        """
        super().__init__((FEATURES.n_mels, FEATURES.columns), WINDOWS, TAGS, len(head.bias) + TAGS)
        self._backbone, self._networks = backbone, list(head.networks)
        self._mean, self._spread = tf.constant(head.scale.mean), tf.constant(head.scale.spread)
        self._weights, self._bias = tf.constant(head.weights), tf.constant(head.bias)
        self._temperature = tf.constant(temperature, tf.float32)

    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": self._backbone(windows, training=False)}

    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self._standardised(features, mask)
        mean = mean_over_windows(logits, mask)
        answers = [network([logits, mask], training=False) for network in self._networks]
        clip = self._joined(mean, [clip for clip, _ in answers])
        window = tf.nn.softmax(self._joined(logits, [window for _, window in answers]))
        posterior = tf.nn.softmax(clip)
        joined = tf.concat([tf.math.l2_normalize(posterior, -1), TAGS_SHARE * tf.math.l2_normalize(mean, -1)], -1)
        return {
            "posterior": posterior,
            "embedding": tf.math.l2_normalize(joined, -1),
            "window_posterior": tf.where(mask[..., None], window, 0.0),
        }

    def _standardised(self, tags: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Standardised logits [clips, w, 50]; 0 where there is no window."""
        # Whatever stands in an absent window, even NaN, must not reach the sums.
        inside = tf.clip_by_value(tf.where(mask[..., None], tags, 0.5), MIN_TAG, 1 - MIN_TAG)
        standardised = (tf.math.log(inside / (1 - inside)) - self._mean) / self._spread
        return tf.where(mask[..., None], standardised, 0.0)

    def _joined(self, logits: tf.Tensor, answers: list[tf.Tensor]) -> tf.Tensor:
        """The log-posterior of both judges: the discriminants of ``logits``, and the mean of the networks' answers."""
        discriminants = tf.nn.log_softmax(tf.tensordot(logits, self._weights, 1) + self._bias)
        networks = tf.add_n([tf.nn.log_softmax(answer) for answer in answers]) / len(answers)
        return (discriminants + networks) / (2 * self._temperature)
