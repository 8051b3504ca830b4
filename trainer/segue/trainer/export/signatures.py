"""The serving graphs: everything between decibels and posterior, as the three signatures of an artifact."""

from __future__ import annotations

from abc import abstractmethod

import tensorflow as tf

from segue.trainer.arrays import Floats
from segue.trainer.data.front_end import windows_in_clip
from segue.trainer.networks.segue_fast import Shape
from segue.trainer.networks.trained import AnyTrained, TrainedFast, TrainedPaper


class ServingGraph(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """The three signatures of an artifact.

    The names of attributes are saved with the network and so are part of its model id.

    Attributes:
        feature_width: length of a window's feature vector.
        embedding_width: length of a clip's embedding.
    """

    def __init__(self, cells: tuple[int, int], windows: int, feature_width: int, embedding_width: int) -> None:
        """Declares the signatures.

        Args:
            cells: bands and columns of a window.
            windows: largest number of windows of a clip.
            feature_width: length of a window's feature vector.
            embedding_width: length of a clip's embedding.
        """
        super().__init__(name="segue")
        self.windows, self.feature_width, self.embedding_width = windows, feature_width, embedding_width
        single = tf.TensorSpec([None, *cells], tf.float32, "windows")
        clips = tf.TensorSpec([None, windows, *cells], tf.float32, "windows")
        features = tf.TensorSpec([None, windows, feature_width], tf.float32, "features")
        mask = tf.TensorSpec([None, windows], tf.bool, "mask")
        self.encode = tf.function(self._encode, input_signature=[single])
        self.decide = tf.function(self._decide, input_signature=[features, mask])
        self.both = tf.function(self._both, input_signature=[clips, mask])

    @abstractmethod
    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]: ...

    @abstractmethod
    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]: ...

    def _both(self, windows: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        flat = tf.reshape(windows, [-1, *windows.shape[2:]])
        features = tf.reshape(self._encode(flat)["features"], [-1, self.windows, self.feature_width])
        return self._decide(features, mask)


class FastServingGraph(ServingGraph):
    """The network of ``segue-fast``.

    A window's feature vector is the encoder's features followed by the linear path's logits, so that ``decide`` needs
    nothing else. A clip's embedding joins two vectors of length 1: the mean of the encoder's features less their mean
    over the training clips, and the log-posterior less its own mean.
    """

    def __init__(self, trained: TrainedFast, centre: Floats, temperature: float) -> None:
        super().__init__(*_sizes(trained.shape), trained.shape.width + trained.shape.genres)
        self._width = trained.shape.width
        self._encoder, self._decider = trained.encoder, trained.decider
        self._statistics, self._linear = trained.statistics, trained.linear
        self._centre, self._temperature = tf.constant(centre), tf.constant(temperature, tf.float32)

    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        linear = self._linear(self._statistics(windows))
        return {"features": tf.concat([self._encoder(windows, training=False), linear], -1)}

    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        # Keeps the content of absent windows, even NaN, out of the sums.
        features = tf.where(mask[..., None], features, 0.0)
        encoded, linear = features[..., : self._width], tf.nn.log_softmax(features[..., self._width :])
        clip_logits, window_logits = self._decider([encoded, mask], training=False)
        clip = tf.nn.log_softmax(clip_logits) + mean_over_windows(linear, mask)
        window = tf.nn.softmax((tf.nn.log_softmax(window_logits) + linear) / self._temperature)
        centred = mean_over_windows(encoded, mask) - self._centre
        log_posterior = clip - tf.reduce_mean(clip, -1, keepdims=True)
        joined = tf.concat([tf.math.l2_normalize(centred, -1), tf.math.l2_normalize(log_posterior, -1)], -1)
        return {
            "posterior": tf.nn.softmax(clip / self._temperature),
            "embedding": tf.math.l2_normalize(joined, -1),
            "window_posterior": tf.where(mask[..., None], window, 0.0),
        }


class PaperServingGraph(ServingGraph):
    """One of the paper's networks; a clip's posterior is the mean of its windows' posteriors.

    A window's feature vector is the last hidden layer followed by the logits. A clip's embedding is the mean of that
    layer over its windows, less its mean over the training clips, of length 1. The temperature divides the logarithm
    of a posterior.
    """

    def __init__(self, trained: TrainedPaper, centre: Floats, temperature: float) -> None:
        super().__init__(*_sizes(trained.shape), trained.shape.width)
        self._width = trained.shape.width
        self._encoder, self._head = trained.encoder, trained.head
        self._centre, self._temperature = tf.constant(centre), tf.constant(temperature, tf.float32)

    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        hidden = self._encoder(windows, training=False)
        return {"features": tf.concat([hidden, self._head(hidden)], -1)}

    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        # Keeps the content of absent windows, even NaN, out of the sums.
        features = tf.where(mask[..., None], features, 0.0)
        hidden, logits = features[..., : self._width], features[..., self._width :]
        clip = tf.math.log(tf.maximum(mean_over_windows(tf.nn.softmax(logits), mask), 1e-30))
        window = tf.nn.softmax(tf.nn.log_softmax(logits) / self._temperature)
        centred = mean_over_windows(hidden, mask) - self._centre
        return {
            "posterior": tf.nn.softmax(clip / self._temperature),
            "embedding": tf.math.l2_normalize(centred, -1),
            "window_posterior": tf.where(mask[..., None], window, 0.0),
        }


def build_serving_graph(trained: AnyTrained, centre: Floats, temperature: float) -> ServingGraph:
    """Builds the graph of a trained network.

    Args:
        trained: the network.
        centre: mean [width] of its features over the training clips.
        temperature: divisor of the log-posterior, above 0.
    """
    if isinstance(trained, TrainedPaper):
        return PaperServingGraph(trained, centre, temperature)
    return FastServingGraph(trained, centre, temperature)


def mean_over_windows(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Computes the mean [clips, d] of values [clips, w, d] over the windows that are present."""
    present = tf.cast(mask, tf.float32)[..., None]
    return tf.reduce_sum(values * present, 1) / tf.maximum(tf.reduce_sum(present, 1), 1.0)


def _sizes(shape: Shape) -> tuple[tuple[int, int], int, int]:
    """Returns cells, windows and feature width of a network whose features end in the logits of the genres."""
    return (shape.bands, shape.columns), windows_in_clip(shape.columns), shape.width + shape.genres
