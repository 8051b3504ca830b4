"""The head of ``segue-accurate`` as a graph: from the tags of a clip's windows to its posterior."""

from __future__ import annotations

from collections.abc import Collection

import tensorflow as tf

from segue.trainer.accurate.head import DISCRIMINANTS, JUDGES, MIN_TAG, NETWORKS, REGRESSION, Head, Linear
from segue.trainer.export.signatures import mean_over_windows


class HeadGraph(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """A head at a temperature."""

    def __init__(self, head: Head, temperature: float = 1.0, judges: Collection[str] = JUDGES) -> None:
        """Converts a head.

        Args:
            head: the head.
            temperature: divisor of the log-posterior, above 0.
            judges: those of the head's judges that count.
        """
        super().__init__(name="head")
        self._networks, self._judges = list(head.networks), tuple(judges)
        self._mean, self._spread = tf.constant(head.scale.mean), tf.constant(head.scale.spread)
        self._discriminants, self._regression = _constants(head.discriminants), _constants(head.regression)
        self._novelty = head.novelty
        self._temperature = tf.constant(temperature, tf.float32)

    def __call__(self, tags: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Computes the outputs of a head for each clip.

        Args:
            tags: tags [clips, w, 50] of each window.
            mask: [clips, w], false where a window is absent.

        Returns:
            By name: posterior [clips, genres], window_posterior [clips, w, genres] and novelty [clips].
        """
        # Keeps the content of absent windows, even NaN, out of the sums.
        tags = tf.where(mask[..., None], tags, 0.0)
        logits = self._standardised(tags, mask)
        mean, mean_tags = mean_over_windows(logits, mask), mean_over_windows(tags, mask)
        outputs = [network([logits, mask], training=False) for network in self._networks]
        clip = self._log_posterior(mean, [clip for clip, _ in outputs], mean_tags)
        window = tf.nn.softmax(self._log_posterior(logits, [window for _, window in outputs], tags))
        return {
            "posterior": tf.nn.softmax(clip),
            "window_posterior": tf.where(mask[..., None], window, 0.0),
            "novelty": self._novelty(mean_tags),
        }

    def _standardised(self, tags: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Standardises the logits [clips, w, 50] of tags; they are 0 where a window is absent."""
        clipped = tf.clip_by_value(tags, MIN_TAG, 1 - MIN_TAG)
        standardised = (tf.math.log(clipped / (1 - clipped)) - self._mean) / self._spread
        return tf.where(mask[..., None], standardised, 0.0)

    def _log_posterior(self, logits: tf.Tensor, outputs: list[tf.Tensor], tags: tf.Tensor) -> tf.Tensor:
        """Averages the log-posteriors of the judges.

        Args:
            logits: standardised logits of the tags [..., 50].
            outputs: logits [..., genres] of each network.
            tags: the tags [..., 50].
        """
        judges = {
            DISCRIMINANTS: lambda: tf.nn.log_softmax(_apply(self._discriminants, logits)),
            NETWORKS: lambda: tf.add_n([tf.nn.log_softmax(output) for output in outputs]) / len(outputs),
            REGRESSION: lambda: tf.nn.log_softmax(_apply(self._regression, tags)),
        }
        return tf.add_n([judges[judge]() for judge in self._judges]) / (len(self._judges) * self._temperature)


def _constants(linear: Linear) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(linear.weights), tf.constant(linear.bias)


def _apply(linear: tuple[tf.Tensor, tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    weights, bias = linear
    return tf.tensordot(x, weights, 1) + bias
