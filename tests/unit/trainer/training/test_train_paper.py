from __future__ import annotations

import numpy as np
import pytest

from segue.trainer.cli.options import NETWORKS
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.front_end import CLIP_COLUMNS
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.training.plans import PaperPlan
from segue.trainer.training.recipes import RECIPES
from segue.trainer.training.train_paper import WindowBatches


def test_an_epoch_has_every_window_once() -> None:
    """The order is determined by seed and epoch, and noise moves cells by at most one code."""
    windows = np.arange(70, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32) - 80
    targets = np.eye(70, dtype=np.float32)
    plan = PaperPlan(epochs=1, batch=35, seed=3)
    one, same = WindowBatches(windows, targets, plan, -80), WindowBatches(windows, targets, plan, -80)
    order = np.concatenate([one[0][1].argmax(1), one[1][1].argmax(1)])
    assert list(range(70)) == sorted(order.tolist())
    assert np.array_equal(one[0][0], same[0][0])
    assert np.abs(one[0][0] - windows[order[:35]]).max() <= 80 / 256
    same.on_epoch_end()
    assert not np.array_equal(one[0][1], same[0][1])


def test_the_command_offers_every_network() -> None:
    """The choices of --network are the recipes."""
    assert NETWORKS == tuple(RECIPES)


@pytest.mark.parametrize(
    ("name", "seconds", "windows"),
    [("", 3.0, 10), ("-6s", 6.0, 5), ("-15s", 15.0, 2), ("-30s", 29.9, 1)],
)
def test_a_clip_of_30_s_is_filled_by_windows_of_any_length(name: str, seconds: float, windows: int) -> None:
    """The CNN-LSTM exists for 3 to 30 s, and each gets all of a clip."""
    front_end = RECIPES[f"paper-cnn-lstm{name}"].front_end
    clip = Clip("a", "rock", np.zeros((front_end.n_mels, CLIP_COLUMNS), np.float32))
    assert seconds == front_end.window_seconds
    assert (1, windows, front_end.n_mels, front_end.columns) == served_windows(Dataset((clip,)), front_end)[
        "windows"
    ].shape
