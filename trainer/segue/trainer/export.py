"""Turns a trained network into an artifact: one SavedModel with three signatures, its manifest and its card."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from segue.core.artifact import SAVED_MODEL, Manifest, write_manifest
from segue.core.features import FeatureConfig
from segue.trainer.batches import served_windows
from segue.trainer.data import Dataset, Floats
from segue.trainer.metrics import fit_temperature
from segue.trainer.training import WINDOWS, Trained

CARD = "model-card.md"


class ServedNetwork(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """The graph that is served; everything between decibels and posterior is in it.

    A window's feature vector is the encoder's features with the linear path's logits behind them, so that ``decide``
    needs nothing else. A clip's embedding is the mean of the encoder's features less their mean over the training
    clips, beside its log-posterior less its own mean, both of length 1 before they are joined.
    """

    def __init__(self, trained: Trained, centre: Floats, temperature: float) -> None:
        super().__init__(name="segue")
        shape = trained.shape
        self._width, self._genres = shape.width, shape.genres
        self._encoder, self._decider = trained.encoder, trained.decider
        self._statistics, self._linear = trained.statistics, trained.linear
        self._centre, self._temperature = tf.constant(centre), tf.constant(temperature, tf.float32)
        windows = tf.TensorSpec([None, shape.bands, shape.columns], tf.float32, "windows")
        clips = tf.TensorSpec([None, WINDOWS, shape.bands, shape.columns], tf.float32, "windows")
        features = tf.TensorSpec([None, WINDOWS, self.feature_width], tf.float32, "features")
        mask = tf.TensorSpec([None, WINDOWS], tf.bool, "mask")
        self.encode = tf.function(self._encode, input_signature=[windows])
        self.decide = tf.function(self._decide, input_signature=[features, mask])
        self.both = tf.function(self._both, input_signature=[clips, mask])

    @property
    def feature_width(self) -> int:
        """The length of a window's feature vector."""
        return self._width + self._genres

    @property
    def embedding_width(self) -> int:
        """The length of a clip's embedding."""
        return self._width + self._genres

    def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        linear = self._linear(self._statistics(windows))
        return {"features": tf.concat([self._encoder(windows, training=False), linear], -1)}

    def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        # Whatever stands in an absent window, even NaN, must not reach the sums.
        features = tf.where(mask[..., None], features, 0.0)
        heard, linear = features[..., : self._width], tf.nn.log_softmax(features[..., self._width :])
        clip_logits, window_logits = self._decider([heard, mask], training=False)
        clip = tf.nn.log_softmax(clip_logits) + _mean_over_windows(linear, mask)
        window = tf.nn.softmax((tf.nn.log_softmax(window_logits) + linear) / self._temperature)
        centred = _mean_over_windows(heard, mask) - self._centre
        beliefs = clip - tf.reduce_mean(clip, -1, keepdims=True)
        joined = tf.concat([tf.math.l2_normalize(centred, -1), tf.math.l2_normalize(beliefs, -1)], -1)
        return {
            "posterior": tf.nn.softmax(clip / self._temperature),
            "embedding": tf.math.l2_normalize(joined, -1),
            "window_posterior": tf.where(mask[..., None], window, 0.0),
        }

    def _both(self, windows: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        flat = tf.reshape(windows, [-1, *windows.shape[2:]])
        features = tf.reshape(self._encode(flat)["features"], [-1, WINDOWS, self.feature_width])
        return self._decide(features, mask)


def calibrate(
    trained: Trained, learnt: Dataset, valid: Dataset, labels: tuple[str, ...], config: FeatureConfig
) -> tuple[ServedNetwork, float]:
    """Measures the centre of the embeddings on the training clips and the temperature on the validation clips.

    Returns:
        The served network, and the temperature that is in it.
    """
    plain = ServedNetwork(trained, np.zeros(trained.shape.width, np.float32), 1.0)
    served = served_windows(learnt, config, WINDOWS)
    centre = trained.encoder.predict(served["windows"][served["mask"]], verbose=0).mean(0)
    posterior = _answer(plain, valid, config)
    genres = np.array([labels.index(clip.genre) for clip in valid.clips])
    temperature = fit_temperature(np.log(np.maximum(posterior, 1e-30)), genres)
    return ServedNetwork(trained, centre, temperature), temperature


def write_artifact(
    folder: Path,
    network: ServedNetwork,
    manifest: Manifest,
    describe: Callable[[Path], tuple[dict[str, float], str]],
) -> Manifest:
    """Writes an artifact's folder; an older one in its place is only taken away once the new one stands.

    Args:
        folder: where.
        network: what is served.
        manifest: what it says of itself; its model id, metrics and digests are made here.
        describe: measures the fresh artifact in its folder, and answers its metrics and its card.

    Returns:
        The manifest as written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        fresh = Path(beside) / folder.name
        signatures = {"encode": network.encode, "decide": network.decide, "serving_default": network.both}
        tf.saved_model.save(network, str(fresh / SAVED_MODEL), signatures=signatures)
        plain = write_manifest(fresh, manifest)
        metrics, card = describe(fresh)
        (fresh / CARD).write_text(card, encoding="utf-8")
        written = write_manifest(fresh, replace(plain, metrics=metrics))
        if folder.exists():
            folder.rename(Path(beside) / "older")
        fresh.rename(folder)
    return written


def _answer(network: ServedNetwork, dataset: Dataset, config: FeatureConfig) -> Floats:
    served = served_windows(dataset, config, WINDOWS)
    parts = np.array_split(np.arange(len(dataset.clips)), 1 + len(dataset.clips) // 32)
    answers = [network.both(served["windows"][part], served["mask"][part])["posterior"].numpy() for part in parts]
    posterior: Floats = np.concatenate(answers)
    return posterior


def _mean_over_windows(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    present = tf.cast(mask, tf.float32)[..., None]
    return tf.reduce_sum(values * present, 1) / tf.maximum(tf.reduce_sum(present, 1), 1.0)
