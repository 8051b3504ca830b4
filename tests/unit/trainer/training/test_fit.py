from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from segue.trainer.arrays import Floats
from segue.trainer.errors import TrainingDiverged
from segue.trainer.runs.resume import run_resumable
from segue.trainer.training.checkpoint import read_checkpoint, write_checkpoint
from segue.trainer.training.fit import EpochLimits, FitResult, RunControl, fit


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Two clips of two genres, in every batch."""

    inputs, targets = 100 * np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)
    epoch = 0

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        return self.inputs, self.targets


def diverge(control: RunControl, batches: int = 1) -> FitResult:
    """Trains a layer whose second update makes its weights larger than any float, with so many batches in an epoch."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([0], [1e-6, 1e38])
    metrics = [
        keras.metrics.CategoricalAccuracy(name="accuracy"),
        keras.metrics.CategoricalCrossentropy(name="log_loss", from_logits=True),
    ]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.SGD(rate), loss, metrics=metrics)
    return fit(network, Batches(batches), (Batches.inputs, Batches.targets), EpochLimits(epochs=3), control)


def test_a_diverged_run_keeps_its_best_epoch(tmp_path: Path) -> None:
    """The run ends with an error and a checkpoint, whose best epoch --finish writes."""
    messages: list[str] = []
    with pytest.raises(TrainingDiverged, match="validation loss is no longer a number in epoch 2"):
        run_resumable(tmp_path / "out", RunControl(), diverge, messages.append)
    (message,) = messages
    assert "stopped after epoch 1" in message
    assert message.endswith("Write the best one with --finish.")
    result = run_resumable(tmp_path / "out", RunControl(resume=True, finish=True), diverge, messages.append)
    assert (1, 1) == (result.best_epoch, len(result.history["val_log_loss"]))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("validates", [True, False])
def test_the_last_epoch_can_be_kept(validates: bool) -> None:
    """It is kept although an earlier one was better, and validation data are not needed."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    metrics = [keras.metrics.CategoricalCrossentropy(name="log_loss", from_logits=True)]
    network.compile(keras.optimizers.SGD(1e-5), keras.losses.CategoricalCrossentropy(from_logits=True), metrics=metrics)
    # Targets that are wrong for the training, so that the validation loss rises with every epoch.
    validation = (Batches.inputs, Batches.targets[::-1]) if validates else None
    result = fit(network, Batches(1), validation, EpochLimits(epochs=3), RunControl(keep_last=True))
    assert 3 == result.best_epoch == len(result.history["log_loss"])
    if validates:
        losses = result.history["val_log_loss"]
        assert losses == sorted(losses)


def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path: Path) -> None:
    """The run ends at the first such batch: no epoch is recorded, so no network of NaN is kept."""
    path = tmp_path / "run.npz"
    with pytest.raises(TrainingDiverged, match="The loss is no longer a number in epoch 1"):
        diverge(RunControl(checkpoint=path), batches=3)
    assert not path.exists()


@pytest.mark.parametrize(("earlier", "least"), [(1000.0, 1000.0), (None, None)])
def test_wall_time_includes_the_time_before_a_resume(
    tmp_path: Path, earlier: float | None, least: float | None
) -> None:
    """A resumed run has no wall time where its checkpoint has none."""
    path = tmp_path / "run.npz"
    with pytest.raises(TrainingDiverged):
        diverge(RunControl(checkpoint=path))
    checkpoint = read_checkpoint(path, {})
    assert checkpoint.seconds is not None
    assert 0 < checkpoint.seconds < 1000
    write_checkpoint(path, replace(checkpoint, seconds=earlier), {})
    seconds = diverge(RunControl(checkpoint=path, resume=True, finish=True)).seconds
    assert least == (seconds and min(seconds, 1000.0))
