"""Trains a compiled network: keeps its best epoch, stops early, and writes checkpoints that a run resumes from."""

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

LOG_LOSS = "log_loss"
"""Name in a ``History`` of the metric whose validation value selects the best epoch."""

_REMEDY = "Look for clips that are not music, and remove them."

History = dict[str, list[float]]
"""Figures of each epoch by name: loss, log_loss and accuracy, and the same with the prefix "val_"."""

EpochCallback = Callable[[int, Mapping[str, float]], None]
"""Called after each epoch with its number, from 1, and its figures by name."""


TrainingCallback = Callable[[int, int], None]
"""Called before each training of a run with its number, from 0, and the number of trainings."""


def ignore_training(number: int, trainings: int) -> None:
    """Ignores that a training begins."""


def ignore_epoch(epoch: int, figures: Mapping[str, float]) -> None:
    """Ignores an epoch, for runs that report none."""


@dataclass(frozen=True)
class RunControl:
    """Reports and checkpoints of a run.

    Attributes:
        on_epoch: called after each epoch.
        on_training: called before each training; a cross-validation has several.
        checkpoint: file that is written after each epoch, or None for none.
        resume: continue from that file.
        identity: what identifies the run, by name; the checkpoint of another run is refused.
        finish: end the run with the epoch that is kept in that file, without further training.
        keep_last: keep the last epoch, rather than the one with the lowest validation log-loss.
    """

    on_epoch: EpochCallback = ignore_epoch
    on_training: TrainingCallback = ignore_training
    checkpoint: Path | None = None
    resume: bool = False
    identity: Mapping[str, Any] = field(default_factory=dict)
    finish: bool = False
    keep_last: bool = False

    def load_checkpoint(self) -> Checkpoint | None:
        """Loads the checkpoint to resume from, or returns None for a new run.

        Raises:
            CheckpointMismatch: it is missing, damaged, or another run's.
        """
        return read_checkpoint(self.checkpoint, self.identity) if self.resume and self.checkpoint else None


@dataclass(frozen=True)
class EpochLimits:
    """The limits of a run.

    Attributes:
        epochs: largest number of epochs, 1 or above.
        patience: number of epochs without a better one that ends the run, or None for no such limit.
    """

    epochs: int
    patience: int | None = None


@dataclass(frozen=True)
class FitResult:
    """The outcome of a run.

    Attributes:
        history: figures of each epoch, by name.
        best_epoch: the epoch that is kept and that the network's weights are from, from 1.
        seconds: wall time of all epochs, including those before a resume; None where it is unknown.
    """

    history: History
    best_epoch: int
    seconds: float | None


def fit(
    network: keras.Model,
    batches: keras.utils.PyDataset,
    validation: tuple[Any, Any] | None,
    limits: EpochLimits,
    control: RunControl,
) -> FitResult:
    """Trains a compiled network, and leaves it with the weights of the epoch that is kept.

    Args:
        network: compiled, with metrics "accuracy" and "log_loss" of the clips or the windows.
        batches: training batches; their ``epoch`` is set when a run resumes.
        validation: inputs and targets; None for none, where the last epoch is kept.
        limits: limits of the run.
        control: reports and checkpoints of the run.

    Raises:
        TrainingDiverged: the training or the validation loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to resume from cannot be used.
    """
    recorder = CheckpointCallback(limits, control)
    checkpoint = control.load_checkpoint()
    network.optimizer.build(network.trainable_variables)
    uses_averages = getattr(network.optimizer, "use_ema", False)
    if checkpoint:
        recorder.restore(checkpoint, network)
        batches.epoch = checkpoint.epoch
    if not (recorder.is_done or control.finish):
        # The order matters: the averaged weights are in place before the epoch is recorded.
        callbacks = [*([_AveragedWeights(swapped=checkpoint is not None)] if uses_averages else []), recorder]
        network.fit(
            batches,
            validation_data=validation,
            initial_epoch=recorder.epoch,
            epochs=limits.epochs,
            callbacks=callbacks,
            verbose=0,
        )
    network.set_weights(recorder.best)
    return FitResult(recorder.history, recorder.best_epoch, recorder.seconds)


class _AveragedWeights(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]  # keras ships no types
    """Swaps in the averaged weights for validation, also in a run that resumes, whose checkpoint holds them swapped."""

    def __init__(self, *, swapped: bool) -> None:
        super().__init__(swap_on_epoch=True)
        # A private attribute of Keras 3.15.1, which has no public one for this. A test compares a resumed run with an
        # uninterrupted one, and fails if a later Keras does without it.
        self._ema_weights_in_model = swapped


class CheckpointCallback(keras.callbacks.Callback):  # type: ignore[misc]  # keras ships no types
    """Records the history and the best weights, and writes a checkpoint after each epoch."""

    def __init__(self, limits: EpochLimits, control: RunControl) -> None:
        super().__init__()
        self._limits = limits
        self._control = control
        self.epoch = 0
        self.best_epoch = 0
        self.best: list[Any] = []
        self.history: History = {}
        self._began = time.monotonic()
        self._earlier_seconds: float | None = 0.0

    @property
    def seconds(self) -> float | None:
        """Wall time of the run so far, or None where the checkpoint that it resumed from lacks it."""
        return None if self._earlier_seconds is None else self._earlier_seconds + time.monotonic() - self._began

    @property
    def _best_loss(self) -> float:
        return self.history[f"val_{LOG_LOSS}"][self.best_epoch - 1]

    @property
    def is_done(self) -> bool:
        """True where the limits allow no further epoch."""
        waited = self.epoch - self.best_epoch
        patience = self._limits.patience
        return self.epoch >= self._limits.epochs or (patience is not None and self.epoch > 0 and waited >= patience)

    def restore(self, checkpoint: Checkpoint, network: keras.Model) -> None:
        """Restores the state of a checkpoint."""
        self.epoch, self.best_epoch, self.history = checkpoint.epoch, checkpoint.best_epoch, checkpoint.history
        self.best, self._earlier_seconds = checkpoint.best, checkpoint.seconds
        for variables, values in (
            (network.variables, checkpoint.weights),
            (network.optimizer.variables, checkpoint.optimizer),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        random.setstate(checkpoint.random_state)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        """Ends a run whose loss is not a number, before its weights are recorded."""
        if not math.isfinite(logs["loss"]):
            raise TrainingDiverged(f"The loss is no longer a number in epoch {self.epoch + 1}. {_REMEDY}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Records an epoch; ends the run where its validation loss is not a number."""
        figures = {_metric_name(name): float(value) for name, value in logs.items()}
        loss = figures.get(f"val_{LOG_LOSS}", 0.0)
        if not math.isfinite(loss):
            raise TrainingDiverged(f"The validation loss is no longer a number in epoch {epoch + 1}. {_REMEDY}")
        for name, value in figures.items():
            self.history.setdefault(name, []).append(value)
        self.epoch = epoch + 1
        if self._control.keep_last or not self.best_epoch or loss < self._best_loss:
            self.best_epoch, self.best = self.epoch, self.model.get_weights()
        if self._control.checkpoint:
            write_checkpoint(self._control.checkpoint, self._checkpoint(), self._control.identity)
        self._control.on_epoch(self.epoch, figures)
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


def _metric_name(name: str) -> str:
    """Removes the name of the output that Keras puts before a metric where a network has several outputs."""
    for metric in (LOG_LOSS, "accuracy"):
        name = name.replace(f"clip_{metric}", metric)
    return name
