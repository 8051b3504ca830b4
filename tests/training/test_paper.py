"""Training of the paper's networks."""

from __future__ import annotations

import numpy as np

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset
from segue.trainer.networks.paper import CNN_LSTM
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import PaperPlan
from segue.trainer.training.train_paper import train_paper


def test_a_run_ends_when_no_epoch_is_better(noisy_dataset: Dataset) -> None:
    """It has fewer epochs than the largest number, and the best of them is kept."""
    plan = PaperPlan(epochs=30, batch=60, patience=2, learning_rate=0.3)
    trained = train_paper(CNN_LSTM, noisy_dataset, noisy_dataset, ("high", "low"), FeatureConfig(), plan, RunControl())
    epochs = len(trained.history["loss"])
    assert epochs == trained.best_epoch + 2
    assert trained.best_epoch == 1 + int(np.argmin(trained.history["val_log_loss"]))
