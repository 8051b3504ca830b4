"""Epoch after epoch: what chooses the best one, keeps it, and lets a run go on where it was stopped."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from segue.trainer.errors import TrainingDiverged
from segue.trainer.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

# What an epoch is chosen by, in the words of ``History``.
LOG_LOSS = "log_loss"
_REMEDY = "Lower the learning rate, or look for clips that are not music."

History = dict[str, list[float]]
"""The figures of each epoch by name: loss, log_loss and accuracy, and the same with "val_" before them."""

EpochCallback = Callable[[int, Mapping[str, float]], None]
"""Told of an epoch, counted from 1, and of its figures by name."""


def ignore(epoch: int, figures: Mapping[str, float]) -> None:
    """A watch that does nothing."""


@dataclass(frozen=True)
class RunControl:
    """What a run tells, and what it leaves behind while it goes.

    Attributes:
        watch: told of every epoch.
        checkpoint: the file that is written after every epoch, or None for none.
        resume: whether the run goes on from that file.
        identity: what the run is of, by name; a checkpoint of anything else is refused.
        finish: whether no epoch shall follow those of that file.
    """

    watch: EpochCallback = ignore
    checkpoint: Path | None = None
    resume: bool = False
    identity: Mapping[str, Any] = field(default_factory=dict)
    finish: bool = False

    def start(self) -> Checkpoint | None:
        """Where the run goes on from, or None for its beginning.

        Raises:
            CheckpointMismatch: there is no such checkpoint, it is damaged, or it is another run's.
        """
        return read_checkpoint(self.checkpoint, self.identity) if self.resume and self.checkpoint else None


@dataclass(frozen=True)
class EpochLimits:
    """When a run ends.

    Attributes:
        epochs: at the latest after as many, 1 or above.
        patience: after as many epochs without a better one, or None for never.
    """

    epochs: int
    patience: int | None = None


@dataclass(frozen=True)
class Fitted:
    """What came of a run.

    Attributes:
        history: figures of each epoch, by name.
        best_epoch: the epoch whose weights the network has, from 1.
        seconds: wall time of all epochs, those before the run was taken up again too; None where they are not known.
    """

    history: History
    best_epoch: int
    seconds: float | None


def fit(
    network: keras.Model,
    batches: keras.utils.PyDataset,
    validation: tuple[Any, Any],
    limits: EpochLimits,
    course: RunControl,
) -> Fitted:
    """Trains a compiled network, and leaves it with the weights of its best epoch.

    Args:
        network: compiled, with metrics called "accuracy" and "log_loss" of the clips or the windows.
        batches: what it learns from; its ``epoch`` is set where a run goes on.
        validation: inputs and targets.
        limits: when to end.
        course: what is told and kept.

    Raises:
        TrainingDiverged: the loss is no longer a number, on what is learnt from or on the validation clips.
        CheckpointError: a checkpoint cannot be written, or the one to go on from cannot be used.
    """
    keeper = CheckpointCallback(limits, course)
    begun = course.start()
    network.optimizer.build(network.trainable_variables)
    averaged = getattr(network.optimizer, "use_ema", False)
    if begun:
        keeper.take_up(begun, network)
        batches.epoch = begun.epoch
    if not (keeper.is_done or course.finish):
        # The order matters: the averaged weights are in place before the epoch is kept.
        callbacks = [*([_Averages(swapped=begun is not None)] if averaged else []), keeper]
        network.fit(
            batches,
            validation_data=validation,
            initial_epoch=keeper.epoch,
            epochs=limits.epochs,
            callbacks=callbacks,
            verbose=0,
        )
    network.set_weights(keeper.best)
    return Fitted(keeper.history, keeper.best_epoch, keeper.seconds)


class _Averages(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]  # keras ships no types
    """Judges and keeps averaged weights, also in a run that goes on from a checkpoint, which holds them swapped."""

    def __init__(self, *, swapped: bool) -> None:
        super().__init__(swap_on_epoch=True)
        self._ema_weights_in_model = swapped


class CheckpointCallback(keras.callbacks.Callback):  # type: ignore[misc]  # keras ships no types
    """Holds the best weights and the history, and writes the checkpoint."""

    def __init__(self, limits: EpochLimits, course: RunControl) -> None:
        super().__init__()
        self._limits = limits
        self._course = course
        self.epoch = 0
        self.best_epoch = 0
        self.best: list[Any] = []
        self.history: History = {}
        self._began = time.monotonic()
        self._before: float | None = 0.0

    @property
    def seconds(self) -> float | None:
        """Wall time of the run so far, or None where the checkpoint that it goes on from does not say it."""
        return None if self._before is None else self._before + time.monotonic() - self._began

    @property
    def is_done(self) -> bool:
        """Whether no epoch shall follow."""
        waited = self.epoch - self.best_epoch
        patience = self._limits.patience
        return self.epoch >= self._limits.epochs or (patience is not None and self.epoch > 0 and waited >= patience)

    def take_up(self, begun: Checkpoint, network: keras.Model) -> None:
        """Puts everything where the checkpoint had it."""
        self.epoch, self.best_epoch, self.history = begun.epoch, begun.best_epoch, begun.history
        self.best, self._before = begun.best, begun.seconds
        for variables, values in ((network.variables, begun.weights), (network.optimizer.variables, begun.optimizer)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        random.setstate(begun.random_state)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        """Ends a run whose loss is no number, before its weights are kept."""
        if not math.isfinite(logs["loss"]):
            raise TrainingDiverged(f"The loss is no longer a number in epoch {self.epoch + 1}. {_REMEDY}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Keeps an epoch, unless its validation loss is no number."""
        figures = {_plain_name(name): float(value) for name, value in logs.items()}
        if not math.isfinite(figures[f"val_{LOG_LOSS}"]):
            raise TrainingDiverged(f"The validation loss is no longer a number in epoch {epoch + 1}. {_REMEDY}")
        for name, value in figures.items():
            self.history.setdefault(name, []).append(value)
        self.epoch = epoch + 1
        judged = self.history[f"val_{LOG_LOSS}"]
        if not self.best_epoch or judged[-1] < judged[self.best_epoch - 1]:
            self.best_epoch, self.best = self.epoch, self.model.get_weights()
        if self._course.checkpoint:
            write_checkpoint(self._course.checkpoint, self._checkpoint(), self._course.identity)
        self._course.watch(self.epoch, figures)
        self.model.stop_training = self.is_done

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            epoch=self.epoch,
            best_epoch=self.best_epoch,
            history=self.history,
            weights=[np.asarray(variable) for variable in self.model.variables],
            optimizer=[np.asarray(variable) for variable in self.model.optimizer.variables],
            best=self.best,
            random_state=random.getstate(),
            seconds=self.seconds,
        )


def _plain_name(name: str) -> str:
    """Keras puts an output's name before its metrics; a network of one output has none."""
    for metric in (LOG_LOSS, "accuracy"):
        name = name.replace(f"clip_{metric}", metric)
    return name
