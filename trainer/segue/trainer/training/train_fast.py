"""Trains ``segue-fast``."""

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
from segue.trainer.training.distillation import nearest_patches, soft_targets
from segue.trainer.training.fit import LOG_LOSS, EpochLimits, RunControl, fit
from segue.trainer.training.plans import FastPlan

Validation = tuple[dict[str, NDArray[np.generic]], dict[str, Floats]]
"""Inputs and targets of the validation clips, by name."""


def train_fast(
    train: Dataset,
    validation: Dataset,
    labels: tuple[str, ...],
    config: FeatureConfig,
    plan: FastPlan,
    control: RunControl | None = None,
) -> TrainedFast:
    """Trains the network.

    Args:
        train: training clips.
        validation: clips that select the epoch, unless the last one is kept; none are needed then.
        labels: the genres, in the order of the posterior.
        config: the front end.
        plan: settings of the training.
        control: reports and checkpoints of the run; None for neither.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to resume from cannot be used.
    """
    keras.utils.set_random_seed(plan.seed)
    tf.config.experimental.enable_op_determinism()
    served = served_windows(train, config)
    windows = served["windows"][served["mask"]]
    scale = BandScale.of(windows)
    shape = Shape(config.n_mels, config.columns, len(labels))
    statistics = build_statistics(shape, scale)
    targets = soft_targets(train, labels, plan.distillation_weight)
    window_targets = [
        nearest_patches(target, np.linspace(0, 1, count))
        for target, count in zip(targets, served["mask"].sum(1), strict=True)
    ]
    linear = fit_linear(statistics.predict(windows, verbose=0), np.concatenate(window_targets), plan)
    network = ClipNetwork(build_encoder(shape, scale), build_decider(shape))
    batches = ClipBatches(
        train,
        targets,
        config,
        scale.mean,
        augmentation=plan.augmentation,
        clips=plan.clips,
        windows=plan.windows,
        seed=plan.seed,
    )
    _compile(network, plan, len(batches))
    validates = _validation(validation, labels, config) if validation.clips else None
    result = fit(network, batches, validates, EpochLimits(plan.epochs), control or RunControl())
    return TrainedFast(network.encoder, network.decider, statistics, linear, shape, scale, **vars(result))


def fit_linear(statistics: Floats, targets: Floats, plan: FastPlan) -> keras.Model:
    """Fits logistic regression to the statistics of windows, with equal weight for each genre, as a layer.

    Args:
        statistics: statistics of the windows, [n, s].
        targets: probabilities of the genres [n, genres]; rows sum to 1.
        plan: strength of the penalty, and weight of the layer's logits.
    """
    scaler = StandardScaler()
    scaled = np.hstack([scaler.fit_transform(statistics.astype(np.float64)), np.ones((len(statistics), 1))])
    weighted = targets * balance(targets)[:, None]

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(scaled.shape[1], -1)
        penalty = np.vstack([weights[:-1], np.zeros_like(weights[-1:])]) / plan.regularisation
        log_posterior = log_softmax(scaled @ weights, axis=-1)
        slope = scaled.T @ (np.exp(log_posterior) * weighted.sum(1, keepdims=True) - weighted) + penalty
        return float((weights * penalty).sum() / 2 - (weighted * log_posterior).sum()), slope.ravel()

    start = np.zeros(scaled.shape[1] * targets.shape[1])
    optimum = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    weights, bias = np.split(plan.linear_weight * optimum.reshape(scaled.shape[1], -1), [-1])
    weights /= scaler.scale_[:, None]
    return build_linear(weights.astype(np.float32), (bias[0] - scaler.mean_ @ weights).astype(np.float32))


def balance(targets: Floats) -> Floats:
    """Computes weights [n] of windows, with mean 1, by which each likeliest genre gets the same total weight."""
    likeliest = targets.argmax(1)
    _, place, counts = np.unique(likeliest, return_inverse=True, return_counts=True)
    weights: Floats = (len(targets) / len(counts) / counts)[place].astype(np.float32)
    return weights


def _compile(network: ClipNetwork, plan: FastPlan, steps: int) -> None:
    network.compile(
        optimizer=_optimizer(plan, steps),
        loss={name: _loss(plan) for name in ("clip", "window")},
        loss_weights={"clip": 0.5, "window": 0.5},
        metrics={"clip": _metrics()},
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


def _metrics() -> list[keras.metrics.Metric]:
    # The log-loss has no label smoothing, since only the probability of the true genre counts.
    return [
        keras.metrics.CategoricalAccuracy(name="accuracy"),
        keras.metrics.CategoricalCrossentropy(from_logits=True, name=LOG_LOSS),
    ]


def _validation(validation: Dataset, labels: tuple[str, ...], config: FeatureConfig) -> Validation:
    inputs, targets = served_windows(validation, config), one_hot(validation, labels)
    windows = inputs["mask"].shape[1]
    return inputs, {"clip": targets, "window": np.repeat(targets[:, None], windows, axis=1)}
