from __future__ import annotations

import numpy as np

from segue.trainer.cli.options import NETWORKS
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
