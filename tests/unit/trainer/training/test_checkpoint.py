from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.features.config import FeatureConfig
from segue.trainer.arrays import Floats
from segue.trainer.cli.main import main
from segue.trainer.data.dataset import Dataset
from segue.trainer.errors import CheckpointError, CheckpointMismatch, DataUnusable, TooLarge, TrainingDiverged
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.outputs import check_output
from segue.trainer.runs.memory_estimate import available_bytes, check_memory, estimate_bytes
from segue.trainer.runs.resume import run_resumable
from segue.trainer.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from segue.trainer.training.fit import EpochLimits, Fitted, RunControl, fit
from segue.trainer.training.plans import FastPlan, PaperPlan
from segue.trainer.training.train_fast import train_fast
from segue.trainer.training.train_paper import train_paper

CONFIG = FeatureConfig()
LABELS = ("high", "low")
IDENTITY = {"network": "paper-cnn", "seed": 1}


def checkpoint(size: int = 8) -> Checkpoint:
    """One of random numbers."""
    arrays = [np.random.default_rng(i).random(size) for i in range(3)]
    return Checkpoint(2, 1, {"loss": [2.0, 1.0]}, arrays, arrays[:1], arrays[1:], random.getstate())


def test_a_checkpoint_is_read_back_whole(tmp_path: Path) -> None:
    """Numbers to the last bit, and the generator where it stood."""
    written = checkpoint()
    write_checkpoint(tmp_path / "run.npz", written, IDENTITY)
    found = read_checkpoint(tmp_path / "run.npz", IDENTITY)
    assert (written.epoch, written.best_epoch, written.history) == (found.epoch, found.best_epoch, found.history)
    assert written.random_state == found.random_state
    for name in ("weights", "optimizer", "best"):
        for expected, actual in zip(getattr(written, name), getattr(found, name), strict=True):
            assert np.array_equal(expected, actual)


def test_a_full_disk_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    """The message says so, and no part of the newer one is left over."""
    path = tmp_path / "run.npz"
    write_checkpoint(path, checkpoint(), IDENTITY)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"the epoch before is whole.*--resume"):
            write_checkpoint(path, replace(checkpoint(100_000), epoch=3), IDENTITY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 2 == read_checkpoint(path, IDENTITY).epoch
    assert [path] == list(tmp_path.iterdir())


def test_another_network_s_checkpoint_is_refused(tmp_path: Path) -> None:
    """The message names what differs."""
    write_checkpoint(tmp_path / "run.npz", checkpoint(), IDENTITY)
    with pytest.raises(CheckpointMismatch, match="its network is paper-cnn, not segue-fast; its seed is 1, not 2"):
        read_checkpoint(tmp_path / "run.npz", {"network": "segue-fast", "seed": 2})


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Nothing is taken up in part."""
    if content is not None:
        (tmp_path / "run.npz").write_bytes(content)
    with pytest.raises(CheckpointMismatch, match=r"run\.npz"):
        read_checkpoint(tmp_path / "run.npz", IDENTITY)


def stop_at(last: int) -> RunControl:
    """A course that is stopped, as by Ctrl-C, when an epoch is told of."""

    def watch(epoch: int, figures: Mapping[str, float]) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    return RunControl(watch)


@pytest.mark.parametrize("network", ["segue-fast", CNN_LSTM])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    noisy_dataset: Dataset, tmp_path: Path, network: str
) -> None:
    """Figures and weights of every epoch are those of an unbroken run, to the last bit."""
    data = noisy_dataset

    def work(
        course: RunControl,
    ) -> tuple[dict[str, list[float]], list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
        if network == CNN_LSTM:
            paper = train_paper(CNN_LSTM, data, data, LABELS, CONFIG, PaperPlan(epochs=3, batch=30), course)
            return paper.history, paper.encoder.get_weights()
        plan = FastPlan(epochs=3, clips=6, windows=2)
        fast = train_fast(data, data, LABELS, CONFIG, plan, course)
        return fast.history, fast.encoder.get_weights()

    history, weights = work(RunControl())
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_resumable(tmp_path / "out", stop_at(2), work, said.append)
    assert ["stopped after epoch 2" in text for text in said] == [True]
    again = run_resumable(tmp_path / "out", RunControl(resume=True), work, said.append)
    assert history == again[0]
    for expected, actual in zip(weights, again[1], strict=True):
        assert np.array_equal(expected, actual)
    assert [] == list(tmp_path.iterdir())


def test_a_stopped_run_is_not_begun_anew_unasked(tmp_path: Path) -> None:
    """What it has learnt is not thrown away by a command that forgot --resume."""
    (tmp_path / "out.checkpoint.npz").touch()
    with pytest.raises(CheckpointError, match="--resume"):
        check_output(tmp_path / "out", resume=False)
    check_output(tmp_path / "out", resume=True)


@pytest.mark.parametrize("name", ["song.mp3", "manifest.json"])
def test_a_folder_of_something_else_is_not_written_over(tmp_path: Path, name: str) -> None:
    """An artifact replaces an artifact, or nothing; a manifest.json alone may be another program's."""
    (tmp_path / name).touch()
    with pytest.raises(DataUnusable, match="not an artifact"):
        check_output(tmp_path, resume=False)


@pytest.mark.parametrize("output", [".", "/", "..", "out/..", "/dev"])
def test_an_output_that_cannot_be_replaced_is_refused(output: str) -> None:
    """Neither the folder one stands in nor a mount point can be put in place by one rename."""
    with pytest.raises(DataUnusable, match="cannot be replaced as a whole"):
        check_output(Path(output), resume=False)


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """It is told before the training, and nothing is left of the trial."""
    (tmp_path / "file").touch()
    with pytest.raises(DataUnusable, match=r"Nothing can be written to .*file/runs/out"):
        check_output(tmp_path / "file" / "runs" / "out", resume=False)
    check_output(tmp_path / "runs" / "out", resume=False)
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


class OneBatch(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Two clips of two genres, in one batch."""

    inputs, targets = 100 * np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)
    epoch = 0

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        return self.inputs, self.targets


def explode(course: RunControl) -> Fitted:
    """Trains a layer whose second update makes its weights too large for any number."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([0], [1e-6, 1e38])
    judges = [
        keras.metrics.CategoricalAccuracy(name="accuracy"),
        keras.metrics.CategoricalCrossentropy(name="log_loss", from_logits=True),
    ]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.SGD(rate), loss, metrics=judges)
    return fit(network, OneBatch(), (OneBatch.inputs, OneBatch.targets), EpochLimits(epochs=3), course)


def test_a_validation_loss_that_is_no_number_keeps_the_best_epoch(tmp_path: Path) -> None:
    """The run ends with an error and its checkpoint, of which --finish takes the best epoch."""
    said: list[str] = []
    with pytest.raises(TrainingDiverged, match="validation loss is no longer a number in epoch 2"):
        run_resumable(tmp_path / "out", RunControl(), explode, said.append)
    assert [
        "stopped after epoch 1" in text and text.endswith("Write the best one with --finish.") for text in said
    ] == [True]
    done = run_resumable(tmp_path / "out", RunControl(resume=True, finish=True), explode, said.append)
    assert (1, 1) == (done.best_epoch, len(done.history["val_log_loss"]))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("before", "least"), [(1000.0, 1000.0), (None, None)])
def test_wall_time_counts_from_the_first_sitting(tmp_path: Path, before: float | None, least: float | None) -> None:
    """A run that goes on has the time before it was stopped; where its checkpoint lacks that, it has none."""
    path = tmp_path / "run.npz"
    with pytest.raises(TrainingDiverged):
        explode(RunControl(checkpoint=path))
    kept = read_checkpoint(path, {})
    assert kept.seconds is not None
    assert 0 < kept.seconds < 1000
    write_checkpoint(path, replace(kept, seconds=before), {})
    seconds = explode(RunControl(checkpoint=path, resume=True, finish=True)).seconds
    assert least == (seconds and min(seconds, 1000.0))


def test_a_run_that_would_not_fit_is_told_before_it_starts() -> None:
    """Both what it takes and what there is are in the message."""
    assert estimate_bytes([387] * 1000, CONFIG, 10) < 4 * 2**30 < estimate_bytes([387] * 10_000, CONFIG, 10)
    with pytest.raises(TooLarge, match=r"10,000 clips.* 2\.0 GiB are free"):
        check_memory([387] * 10_000, CONFIG, 10, room=2 * 2**30)
    check_memory([387] * 443, CONFIG, 10, room=None)


def test_long_and_short_tracks_take_what_they_hold() -> None:
    """Of an hour all columns are held, and ten windows; of 6 s two windows."""
    held = CONFIG.n_mels * 4
    assert held * (46_000 - 387) == estimate_bytes([46_000], CONFIG, 10) - estimate_bytes([387], CONFIG, 10)
    assert held * (387 - 78 + 4 * 8 * 39) == estimate_bytes([387], CONFIG, 10) - estimate_bytes([78], CONFIG, 10)


def test_the_system_says_how_much_memory_is_free() -> None:
    """More than this test takes, where it is said at all."""
    room = available_bytes()
    assert room is None or room > 2**20


# The trainer, to which a signal comes when it has told of its first epoch, and not whenever somebody has read of it.
SIGNALLED = """
import io, os, sys

class Said(io.TextIOWrapper):
    def write(self, text):
        written = super().write(text)
        self.flush()
        if "epoch 1/50" in text:
            os.kill(os.getpid(), int(sys.argv[1]))
        return written

sys.stderr = Said(sys.stderr.buffer)
from segue.trainer.cli.main import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize(("number", "onward"), [(signal.SIGINT, "--resume"), (signal.SIGTERM, "--finish")])
def test_a_signal_keeps_the_best_epoch(
    write_archive: Callable[..., Path], tmp_path: Path, number: signal.Signals, onward: str
) -> None:
    """The process ends with 128 and the signal and says how to go on; the same command so ends with the artifact."""
    output = tmp_path / "out"
    options = ["train", "--input", str(write_archive()), "--network", CNN, "--output", str(output)]
    command = [sys.executable, "-c", SIGNALLED, str(int(number)), *options]
    stopped = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert 128 + number == stopped.returncode
    assert "Go on with --resume" in stopped.stderr
    assert not output.exists()
    refused = CliRunner().invoke(main, [*options, onward, "--seed", "1"])
    assert "its seed is 0, not 1" in refused.stderr
    resumed = CliRunner().invoke(main, [*options, onward])
    assert 0 == resumed.exit_code
    assert "epoch 1/50" not in resumed.stderr
    assert (onward == "--finish") == ("epoch 20/50" not in resumed.stderr)
    assert [tmp_path / "archive.npz", output] == sorted(tmp_path.iterdir())
