"""Trains a network and chooses the epoch that served the validation tracks best."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from segue.core.features import FeatureConfig
from segue.trainer.batches import Augmentation, ClipBatches, one_hot, served_windows
from segue.trainer.data import Dataset, Floats
from segue.trainer.fitting import LOG_LOSS, Course, Limits, fit
from segue.trainer.network import (
    BandScale,
    ClipNetwork,
    Shape,
    build_decider,
    build_encoder,
    build_linear,
    build_statistics,
)
from segue.trainer.teacher import tag_count, tag_loss

WINDOWS = 10
Validation = tuple[dict[str, NDArray[np.generic]], dict[str, Floats]]
"""Inputs and targets of the validation clips, by name."""


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        epochs: how often about ten windows of every clip are heard, 1 or above.
        seed: the same seed gives the same network on the same machine.
        clips: in a batch.
        windows: of each clip in a batch.
        learning_rate: the highest; it rises over two epochs and falls along half a cosine.
        weight_decay: of AdamW, as a share of the learning rate.
        label_smoothing: the share of a target that is spread over all genres, in [0, 1).
        averaging: the weights that are judged and kept are a running mean with this momentum, in [0, 1).
        tag_weight: what the cross-entropy of a tag weighs beside that of the genre, where a teacher gives tags.
        regularisation: the inverse strength C of the linear path's ridge penalty, above 0.
        augmentation: how windows are varied.
    """

    epochs: int = 40
    seed: int = 0
    clips: int = 24
    windows: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    label_smoothing: float = 0.1
    averaging: float = 0.99
    tag_weight: float = 10.0
    regularisation: float = 3e-3
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class Trained:
    """A trained network, part by part.

    Attributes:
        encoder: windows to features.
        decider: features of any number of windows to logits.
        statistics: windows to the statistics of their bands.
        linear: those to logits.
        shape: the sizes.
        scale: of the bands.
        history: figures of each epoch, by name.
        best_epoch: the epoch whose weights these are, from 1.
        seconds: wall time of all epochs, or None where it is not known.
    """

    encoder: keras.Model
    decider: keras.Model
    statistics: keras.Model
    linear: keras.Model
    shape: Shape
    scale: BandScale
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float | None = None


def train(
    learnt: Dataset,
    valid: Dataset,
    labels: tuple[str, ...],
    config: FeatureConfig,
    plan: Plan,
    course: Course | None = None,
) -> Trained:
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
    served = served_windows(learnt, config, WINDOWS)
    heard = served["windows"][served["mask"]]
    scale = BandScale.of(heard)
    shape = Shape(config.n_mels, config.columns, len(labels))
    statistics = build_statistics(shape, scale)
    genres = np.repeat(np.array([labels.index(clip.genre) for clip in learnt.clips]), served["mask"].sum(1))
    linear = fit_linear(statistics.predict(heard, verbose=0), genres, plan.regularisation)
    tags = tag_count(learnt)
    network = ClipNetwork(build_encoder(shape, scale), build_decider(shape), tags)
    batches = ClipBatches(
        learnt,
        labels,
        config,
        scale.mean,
        augmentation=plan.augmentation,
        clips=plan.clips,
        windows=plan.windows,
        seed=plan.seed,
    )
    _compile(network, plan, len(batches), taught=tags > 0)
    done = fit(network, batches, _validation(valid, labels, config, tags), Limits(plan.epochs), course or Course())
    return Trained(network.encoder, network.decider, statistics, linear, shape, scale, **vars(done))


def fit_linear(statistics: Floats, genres: np.ndarray[Any, Any], regularisation: float) -> keras.Model:
    """Logistic regression on the statistics [n, s] of windows, as a layer."""
    scaler = StandardScaler()
    regression = LogisticRegression(C=regularisation, max_iter=500)
    make_pipeline(scaler, regression).fit(statistics, genres)
    coefficients, bias = regression.coef_, regression.intercept_
    if len(coefficients) == 1:  # scikit-learn keeps one row for two classes
        coefficients, bias = np.vstack([-coefficients, coefficients]) / 2, np.hstack([-bias, bias]) / 2
    weights = (coefficients / scaler.scale_).T
    return build_linear(weights.astype(np.float32), (bias - scaler.mean_ @ weights).astype(np.float32))


def _compile(network: ClipNetwork, plan: Plan, steps: int, *, taught: bool) -> None:
    losses = {name: (_loss(plan), 0.5) for name in ("clip", "window")}
    if taught:
        losses["tags"] = (tag_loss, plan.tag_weight)
    network.compile(
        optimizer=_optimizer(plan, steps),
        loss={name: loss for name, (loss, _) in losses.items()},
        loss_weights={name: weight for name, (_, weight) in losses.items()},
        metrics={"clip": _judges()},
        jit_compile=False,
    )


def _optimizer(plan: Plan, steps: int) -> keras.optimizers.Optimizer:
    rising = min(2, plan.epochs) * steps
    rate = keras.optimizers.schedules.CosineDecay(
        1e-5, max(1, plan.epochs * steps - rising), alpha=0.01, warmup_target=plan.learning_rate, warmup_steps=rising
    )
    return keras.optimizers.AdamW(
        rate, weight_decay=plan.weight_decay, clipnorm=5.0, use_ema=True, ema_momentum=plan.averaging
    )


def _loss(plan: Plan) -> keras.losses.Loss:
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=plan.label_smoothing)


def _judges() -> list[keras.metrics.Metric]:
    # The log-loss is judged without label smoothing: it is the probability of the true genre that counts.
    return [
        keras.metrics.CategoricalAccuracy(name="accuracy"),
        keras.metrics.CategoricalCrossentropy(from_logits=True, name=LOG_LOSS),
    ]


def _validation(valid: Dataset, labels: tuple[str, ...], config: FeatureConfig, tags: int) -> Validation:
    inputs, genres = served_windows(valid, config, WINDOWS), one_hot(valid, labels)
    targets = {"clip": genres, "window": np.repeat(genres[:, None], WINDOWS, axis=1)}
    if tags:  # Nobody is judged by how well it says the tags.
        targets["tags"] = np.full((len(genres), WINDOWS, tags), np.nan, np.float32)
    return inputs, targets
