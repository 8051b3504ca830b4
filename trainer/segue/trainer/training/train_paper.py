"""Trains the paper's networks on single windows."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from segue.core.features.config import FeatureConfig
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset, one_hot
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.networks.paper import build_paper_encoder, hidden_width
from segue.trainer.networks.segue_fast import Shape
from segue.trainer.networks.trained import TrainedPaper
from segue.trainer.training.fit import EpochLimits, RunControl, fit
from segue.trainer.training.plans import PaperPlan


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Batches of windows from all clips; batch b of epoch e is determined by the seed, e and b."""

    def __init__(self, windows: Floats, targets: Floats, plan: PaperPlan, floor_db: float) -> None:
        """Holds the windows.

        Args:
            windows: [n, bands, columns] in decibels.
            targets: one-hot genres [n, genres].
            plan: settings of seed, batch and noise.
            floor_db: lowest decibels of a window.
        """
        super().__init__()
        self._windows, self._targets, self._plan, self._floor = windows, targets, plan, floor_db
        self.epoch = 0

    def __len__(self) -> int:
        """Returns the batches in an epoch, which has each window once, without an incomplete last batch."""
        return max(1, len(self._windows) // self._plan.batch)

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        """Returns a batch of windows and targets."""
        order = np.random.default_rng([self._plan.seed, self.epoch]).permutation(len(self._windows))
        rows = order[index * self._plan.batch : (index + 1) * self._plan.batch]
        random = np.random.default_rng([self._plan.seed, self.epoch, index])
        steps = random.integers(-1, 2, self._windows[rows].shape, dtype=np.int8)
        noisy = self._windows[rows] + steps * np.float32(self._plan.noise_db)
        return np.clip(noisy, np.float32(self._floor), np.float32(0)), self._targets[rows]

    def on_epoch_end(self) -> None:
        """Gives the next epoch another order."""
        self.epoch += 1


def train_paper(
    name: str,
    train: Dataset,
    validation: Dataset,
    labels: tuple[str, ...],
    config: FeatureConfig,
    plan: PaperPlan,
    control: RunControl,
) -> TrainedPaper:
    """Trains one of the paper's networks with Adam and categorical cross-entropy.

    The weights of the epoch with the lowest validation loss are kept.

    Args:
        name: "paper-cnn" or "paper-cnn-lstm".
        train: training clips.
        validation: clips that select the epoch; nothing else of them is used.
        labels: the genres, in the order of the posterior.
        config: the front end.
        plan: settings of the training.
        control: reports and checkpoints of the run.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to resume from cannot be used.
    """
    keras.utils.set_random_seed(plan.seed)
    tf.config.experimental.enable_op_determinism()
    width = hidden_width(name)
    shape = Shape(config.n_mels, config.columns, len(labels), width=width)
    encoder = build_paper_encoder(name, shape, config.floor_db)
    hidden = keras.Input((width,))
    head = keras.Model(hidden, layers.Dense(shape.genres)(hidden), name="head")
    network = keras.Model(encoder.input, head(encoder.output))
    _compile(network, plan)
    batches = WindowBatches(*_windows_and_targets(train, labels, config), plan, config.floor_db)
    limits = EpochLimits(plan.epochs, plan.patience)
    result = fit(network, batches, _windows_and_targets(validation, labels, config), limits, control)
    return TrainedPaper(encoder, head, shape, **vars(result))


def _compile(network: keras.Model, plan: PaperPlan) -> None:
    network.compile(
        optimizer=keras.optimizers.Adam(plan.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[
            keras.metrics.CategoricalAccuracy(name="accuracy"),
            keras.metrics.CategoricalCrossentropy(from_logits=True, name="log_loss"),
        ],
        jit_compile=False,
    )


def _windows_and_targets(dataset: Dataset, labels: tuple[str, ...], config: FeatureConfig) -> tuple[Floats, Floats]:
    served = served_windows(dataset, config)
    mask = served["mask"]
    windows: Floats = served["windows"][mask]
    return windows, np.repeat(one_hot(dataset, labels), mask.sum(1), axis=0)
