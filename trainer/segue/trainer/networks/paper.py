"""The paper's two networks on one window each; a clip is the mean of its windows' posteriors.

::

    window [bands, columns]
      └── four 2-D convolutions 32-64-128-128, batch normalisation, pooling
            ├── paper-cnn: flatten, dense 256-64, softmax
            └── paper-cnn-lstm: permute and reshape to columns, two LSTM layers of 128, dense 1024-256-64-32, softmax

docs/adr/0010 says how the paper is read where it leaves things open.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset, Floats
from segue.trainer.networks.segue_fast import Shape
from segue.trainer.training.batches import CODE_DB, one_hot, served_windows
from segue.trainer.training.fit import Course, History, Limits, fit

CNN, CNN_LSTM = "paper-cnn", "paper-cnn-lstm"
CHANNELS = (32, 64, 128, 128)
# Bands are halved by all four, columns by two alone, so that the LSTM hears ten steps in a window.
POOLS = ((2, 2), (2, 2), (2, 1), (2, 1))
CNN_DENSE = (256, 64)
LSTM_DENSE = (1024, 256, 64, 32)
MEMORY = 128
DROPOUT = 0.5
_WINDOWS = 10


@dataclass(frozen=True)
class PaperPlan:
    """How one of the paper's networks is trained.

    Attributes:
        epochs: the most, 1 or above.
        seed: the same seed gives the same network on the same machine.
        batch: windows in a batch.
        learning_rate: of Adam, which stays.
        patience: epochs without a better one that end the run.
        noise_db: every cell moves by -1, 0 or 1 times this, so that single codes of an archive cannot be read.
    """

    epochs: int
    seed: int = 0
    batch: int = 32
    learning_rate: float = 1e-3
    patience: int = 10
    noise_db: float = CODE_DB


@dataclass(frozen=True)
class PaperTrained:
    """One of the paper's networks, trained.

    Attributes:
        encoder: windows [n, bands, columns] to the last hidden layer [n, width].
        head: that to logits [n, genres].
        shape: the sizes.
        history: figures of each epoch, by name; of windows, not of clips.
        best_epoch: the epoch whose weights these are, from 1.
        seconds: wall time of all epochs, or None where it is not known.
    """

    encoder: keras.Model
    head: keras.Model
    shape: Shape
    history: History
    best_epoch: int
    seconds: float | None = None


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


def build_paper_encoder(name: str, shape: Shape, floor_db: float) -> keras.Model:
    """Windows [n, bands, columns] in, the last hidden layer [n, width] out; ``name`` is one of the two."""
    windows = keras.Input((shape.bands, shape.columns))
    # Decibels from the floor to 0 become -1 to 1.
    x = layers.Rescaling(-2 / floor_db, offset=1)(windows)
    x = layers.Reshape((shape.bands, shape.columns, 1))(x)
    for channels, pool in zip(CHANNELS, POOLS, strict=True):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.MaxPooling2D(pool, padding="same")(x)
    x = layers.Flatten()(x) if name == CNN else _remember(x)
    return keras.Model(windows, _dense(x, CNN_DENSE if name == CNN else LSTM_DENSE), name="encoder")


def train_paper(
    name: str,
    learnt: Dataset,
    valid: Dataset,
    labels: tuple[str, ...],
    config: FeatureConfig,
    plan: PaperPlan,
    course: Course,
) -> PaperTrained:
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
    limits = Limits(plan.epochs, plan.patience)
    done = fit(network, batches, _windows_of(valid, labels, config), limits, course)
    return PaperTrained(encoder, head, shape, **vars(done))


def _remember(x: keras.KerasTensor) -> keras.KerasTensor:
    """Maps [bands, columns, channels] as a sequence of columns, heard by two LSTM layers."""
    bands, columns, channels = x.shape[1:]
    x = layers.Reshape((columns, bands * channels))(layers.Permute((2, 1, 3))(x))
    x = layers.LSTM(MEMORY, return_sequences=True, use_cudnn=False)(x)
    return layers.LSTM(MEMORY, use_cudnn=False)(x)


def _dense(x: keras.KerasTensor, widths: tuple[int, ...]) -> keras.KerasTensor:
    for width in widths:
        x = layers.Dense(width, activation="relu")(x)
        if width > 64:
            x = layers.Dropout(DROPOUT)(x)
    return x


def _windows_of(dataset: Dataset, labels: tuple[str, ...], config: FeatureConfig) -> tuple[Floats, Floats]:
    served = served_windows(dataset, config, _WINDOWS)
    mask: NDArray[np.generic] = served["mask"]
    windows: Floats = served["windows"][mask]
    return windows, np.repeat(one_hot(dataset, labels), mask.sum(1), axis=0)
