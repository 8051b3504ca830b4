"""Runs of whole networks that are interrupted and resumed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.features.config import FeatureConfig
from segue.trainer.arrays import Floats
from segue.trainer.cli.main import main
from segue.trainer.data.dataset import Dataset
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.runs.resume import run_resumable
from segue.trainer.training.fit import History, RunControl
from segue.trainer.training.plans import FastPlan, PaperPlan
from segue.trainer.training.train_fast import train_fast
from segue.trainer.training.train_paper import train_paper

CONFIG = FeatureConfig()
LABELS = ("high", "low")


def interrupt_after(last: int) -> RunControl:
    """A control that interrupts the run after an epoch, as Ctrl-C does."""

    def interrupt(epoch: int, figures: Mapping[str, float]) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    return RunControl(interrupt)


@pytest.mark.parametrize("network", ["segue-fast", CNN_LSTM])
def test_a_resumed_run_ends_like_an_uninterrupted_one(noisy_dataset: Dataset, tmp_path: Path, network: str) -> None:
    """Figures and weights of every epoch are the same to the last bit, so two runs with one seed are the same, too."""
    data = noisy_dataset

    def run(control: RunControl) -> tuple[History, list[Floats]]:
        if network == CNN_LSTM:
            paper = train_paper(CNN_LSTM, data, data, LABELS, CONFIG, PaperPlan(epochs=3, batch=30), control)
            return paper.history, paper.encoder.get_weights()
        plan = FastPlan(epochs=3, clips=6, windows=2)
        fast = train_fast(data, data, LABELS, CONFIG, plan, control)
        return fast.history, fast.encoder.get_weights()

    history, weights = run(RunControl())
    messages: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_resumable(tmp_path / "out", interrupt_after(2), run, messages.append)
    assert [True] == ["stopped after epoch 2" in message for message in messages]
    resumed_history, resumed_weights = run_resumable(tmp_path / "out", RunControl(resume=True), run, messages.append)
    assert history == resumed_history
    for expected, actual in zip(weights, resumed_weights, strict=True):
        assert np.array_equal(expected, actual)
    assert [] == list(tmp_path.iterdir())


# Runs the trainer, which gets a signal as soon as it has printed its first epoch, however slow the reader is.
SIGNALLED = """
import io, os, sys

class Signalling(io.TextIOWrapper):
    def write(self, text):
        written = super().write(text)
        self.flush()
        if "epoch 1/4" in text:
            os.kill(os.getpid(), int(sys.argv[1]))
        return written

sys.stderr = Signalling(sys.stderr.buffer)
from segue.trainer.cli.main import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize(("number", "option"), [(signal.SIGINT, "--resume"), (signal.SIGTERM, "--finish")])
def test_a_signal_keeps_the_best_epoch(
    write_archive: Callable[..., Path], tmp_path: Path, number: signal.Signals, option: str
) -> None:
    """The exit code is 128 plus the signal, the message says how to continue, and the same command then finishes."""
    output = tmp_path / "out"
    options = ["train", "--input", str(write_archive()), "--network", CNN, "--epochs", "4"]
    options += ["--output", str(output)]
    command = [sys.executable, "-c", SIGNALLED, str(int(number)), *options]
    interrupted = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert 128 + number == interrupted.returncode
    assert "Continue with --resume" in interrupted.stderr
    assert not output.exists()
    refused = CliRunner().invoke(main, [*options, option, "--seed", "1"])
    assert "its seed is 0, not 1" in refused.stderr
    resumed = CliRunner().invoke(main, [*options, option])
    assert 0 == resumed.exit_code
    assert "epoch 1/4" not in resumed.stderr
    assert (option == "--finish") == ("epoch 4/4" not in resumed.stderr)
    assert [tmp_path / "archive.npz", output] == sorted(tmp_path.iterdir())
