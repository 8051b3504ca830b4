"""Trains a network and chooses the epoch that served the validation tracks best."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.preprocessing import StandardScaler

from segue.core.features.config import FeatureConfig
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset, one_hot
from segue.trainer.data.front_end import MAX_WINDOWS
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.networks.segue_fast import (
    BandScale,
    ClipNetwork,
    Shape,
    build_decider,
    build_encoder,
    build_linear,
)
from segue.trainer.networks.trained import TrainedFast
from segue.trainer.networks.window_statistics import build_statistics
from segue.trainer.training.batches import ClipBatches
from segue.trainer.training.distillation import nearest, soft_targets
from segue.trainer.training.fit import LOG_LOSS, EpochLimits, RunControl, fit
from segue.trainer.training.plans import FastPlan

Validation = tuple[dict[str, NDArray[np.generic]], dict[str, Floats]]
"""Inputs and targets of the validation clips, by name."""


def train_fast(
    learnt: Dataset,
    valid: Dataset,
    labels: tuple[str, ...],
    config: FeatureConfig,
    plan: FastPlan,
    course: RunControl | None = None,
) -> TrainedFast:
    """Trains a network.

    Args:
        learnt: the clips that it learns from.
        valid: the clips that choose the epoch; nothing else of them is used.
        labels: the genres, in the order of the posterior.
        config: the front end.
        plan: how.
        course: what is told and kept on the way; None for nothing.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to go on from cannot be used.
    """
    keras.utils.set_random_seed(plan.seed)
    tf.config.experimental.enable_op_determinism()
    served = served_windows(learnt, config, MAX_WINDOWS)
    heard = served["windows"][served["mask"]]
    scale = BandScale.of(heard)
    shape = Shape(config.n_mels, config.columns, len(labels))
    statistics = build_statistics(shape, scale)
    beliefs = soft_targets(learnt, labels, plan.trust)
    genres = [
        nearest(belief, np.linspace(0, 1, count)) for belief, count in zip(beliefs, served["mask"].sum(1), strict=True)
    ]
    linear = fit_linear(statistics.predict(heard, verbose=0), np.concatenate(genres), plan)
    network = ClipNetwork(build_encoder(shape, scale), build_decider(shape))
    batches = ClipBatches(
        learnt,
        beliefs,
        config,
        scale.mean,
        augmentation=plan.augmentation,
        clips=plan.clips,
        windows=plan.windows,
        seed=plan.seed,
    )
    _compile(network, plan, len(batches))
    done = fit(network, batches, _validation(valid, labels, config), EpochLimits(plan.epochs), course or RunControl())
    return TrainedFast(network.encoder, network.decider, statistics, linear, shape, scale, **vars(done))


def fit_linear(statistics: Floats, genres: Floats, plan: FastPlan) -> keras.Model:
    """Logistic regression on the statistics of windows, as a layer; every genre counts as much as another.

    Args:
        statistics: of the windows [n, s].
        genres: how far each window is of each genre [n, genres]; rows sum to 1.
        plan: how strong the penalty is, and how much the layer counts.
    """
    scaler = StandardScaler()
    scaled = np.hstack([scaler.fit_transform(statistics.astype(np.float64)), np.ones((len(statistics), 1))])
    weighed = genres * balance(genres)[:, None]

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(scaled.shape[1], -1)
        penalty = np.vstack([weights[:-1], np.zeros_like(weights[-1:])]) / plan.regularisation
        beliefs = log_softmax(scaled @ weights, axis=-1)
        slope = scaled.T @ (np.exp(beliefs) * weighed.sum(1, keepdims=True) - weighed) + penalty
        return float((weights * penalty).sum() / 2 - (weighed * beliefs).sum()), slope.ravel()

    start = np.zeros(scaled.shape[1] * genres.shape[1])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    weights, bias = np.split(plan.linear_weight * found.reshape(scaled.shape[1], -1), [-1])
    weights /= scaler.scale_[:, None]
    return build_linear(weights.astype(np.float32), (bias[0] - scaler.mean_ @ weights).astype(np.float32))


def balance(genres: Floats) -> Floats:
    """What each window [n] weighs, so that its likeliest genre has the weight of every other; the mean is 1."""
    likeliest = genres.argmax(1)
    _, place, counts = np.unique(likeliest, return_inverse=True, return_counts=True)
    weights: Floats = (len(genres) / len(counts) / counts)[place].astype(np.float32)
    return weights


def _compile(network: ClipNetwork, plan: FastPlan, steps: int) -> None:
    network.compile(
        optimizer=_optimizer(plan, steps),
        loss={name: _loss(plan) for name in ("clip", "window")},
        loss_weights={"clip": 0.5, "window": 0.5},
        metrics={"clip": _judges()},
        jit_compile=False,
    )


def _optimizer(plan: FastPlan, steps: int) -> keras.optimizers.Optimizer:
    rising = min(2, plan.epochs) * steps
    rate = keras.optimizers.schedules.CosineDecay(
        1e-5, max(1, plan.epochs * steps - rising), alpha=0.01, warmup_target=plan.learning_rate, warmup_steps=rising
    )
    return keras.optimizers.AdamW(
        rate, weight_decay=plan.weight_decay, clipnorm=5.0, use_ema=True, ema_momentum=plan.averaging
    )


def _loss(plan: FastPlan) -> keras.losses.Loss:
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=plan.label_smoothing)


def _judges() -> list[keras.metrics.Metric]:
    # The log-loss is judged without label smoothing: it is the probability of the true genre that counts.
    return [
        keras.metrics.CategoricalAccuracy(name="accuracy"),
        keras.metrics.CategoricalCrossentropy(from_logits=True, name=LOG_LOSS),
    ]


def _validation(valid: Dataset, labels: tuple[str, ...], config: FeatureConfig) -> Validation:
    inputs, targets = served_windows(valid, config, MAX_WINDOWS), one_hot(valid, labels)
    return inputs, {"clip": targets, "window": np.repeat(targets[:, None], MAX_WINDOWS, axis=1)}
