"""Trains the paper's networks on single windows."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset, one_hot
from segue.trainer.data.front_end import MAX_WINDOWS
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.networks.paper import CNN, CNN_DENSE, LSTM_DENSE, build_paper_encoder
from segue.trainer.networks.segue_fast import Shape
from segue.trainer.networks.trained import TrainedPaper
from segue.trainer.training.fit import EpochLimits, RunControl, fit
from segue.trainer.training.plans import PaperPlan


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Batches of windows from all clips; batch b of epoch e follows from the seed, e and b alone."""

    def __init__(self, windows: Floats, targets: Floats, plan: PaperPlan, floor_db: float) -> None:
        """Takes windows [n, bands, columns] and one-hot genres [n, genres]."""
        super().__init__()
        self._windows, self._targets, self._plan, self._floor = windows, targets, plan, floor_db
        self.epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch: each window once, but for a last part of a batch."""
        return max(1, len(self._windows) // self._plan.batch)

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        """A batch of windows and targets."""
        order = np.random.default_rng([self._plan.seed, self.epoch]).permutation(len(self._windows))
        chosen = order[index * self._plan.batch : (index + 1) * self._plan.batch]
        random = np.random.default_rng([self._plan.seed, self.epoch, index])
        steps = random.integers(-1, 2, self._windows[chosen].shape, dtype=np.int8)
        noisy = self._windows[chosen] + steps * np.float32(self._plan.noise_db)
        return np.clip(noisy, np.float32(self._floor), np.float32(0)), self._targets[chosen]

    def on_epoch_end(self) -> None:
        """The next epoch has another order."""
        self.epoch += 1


def train_paper(
    name: str,
    learnt: Dataset,
    valid: Dataset,
    labels: tuple[str, ...],
    config: FeatureConfig,
    plan: PaperPlan,
    course: RunControl,
) -> TrainedPaper:
    """Trains one of the paper's networks: Adam, categorical cross-entropy, the epoch of the least validation loss.

    Args:
        name: "paper-cnn" or "paper-cnn-lstm".
        learnt: the clips that it learns from.
        valid: the clips that choose the epoch; nothing else of them is used.
        labels: the genres, in the order of the posterior.
        config: the front end.
        plan: how.
        course: what is told and kept on the way.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to go on from cannot be used.
    """
    keras.utils.set_random_seed(plan.seed)
    tf.config.experimental.enable_op_determinism()
    width = (CNN_DENSE if name == CNN else LSTM_DENSE)[-1]
    shape = Shape(config.n_mels, config.columns, len(labels), width=width)
    encoder = build_paper_encoder(name, shape, config.floor_db)
    hidden = keras.Input((width,))
    head = keras.Model(hidden, layers.Dense(shape.genres)(hidden), name="head")
    network = keras.Model(encoder.input, head(encoder.output))
    network.compile(
        optimizer=keras.optimizers.Adam(plan.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[
            keras.metrics.CategoricalAccuracy(name="accuracy"),
            keras.metrics.CategoricalCrossentropy(from_logits=True, name="log_loss"),
        ],
        jit_compile=False,
    )
    batches = WindowBatches(*_windows_of(learnt, labels, config), plan, config.floor_db)
    limits = EpochLimits(plan.epochs, plan.patience)
    done = fit(network, batches, _windows_of(valid, labels, config), limits, course)
    return TrainedPaper(encoder, head, shape, **vars(done))


def _windows_of(dataset: Dataset, labels: tuple[str, ...], config: FeatureConfig) -> tuple[Floats, Floats]:
    served = served_windows(dataset, config, MAX_WINDOWS)
    mask: NDArray[np.generic] = served["mask"]
    windows: Floats = served["windows"][mask]
    return windows, np.repeat(one_hot(dataset, labels), mask.sum(1), axis=0)
