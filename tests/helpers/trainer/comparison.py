"""Rows and sections of a comparison, without any network."""

from __future__ import annotations

import numpy as np

from segue.trainer.comparison.results_page import Section
from segue.trainer.comparison.rows import MEASURES, Row, Run

_CHANCE = {"accuracy": 0.5, "log_loss": 0.693, "precision": 0.5}


def make_row(name: str, right: float, seeds: tuple[int, ...] = (0,)) -> Row:
    """Makes the row of a network whose share of right clips is ``right``; all its measures are the same."""
    clips = (np.arange(200) < 200 * right).astype(float)
    tracks = tuple(f"a.{number:05}" for number in range(200))
    return Row(name, seeds, tracks, dict.fromkeys(MEASURES, clips), "some layer", (12,), (7.4,))


def make_section(*rows: Row, label: str = "fault-filtered", leaky: bool = False) -> Section:
    """Makes the section of a split for which two networks with two seeds are planned."""
    planned = tuple(Run(label, name, seed) for name in ("paper-cnn", "paper-cnn-lstm") for seed in (0, 1))
    baselines = (make_row("regression", 0.5, ()), make_row("the same, by its posterior", 0.6, ()))
    return Section(label, "ab" * 32, leaky, 10, 200, rows, baselines, _CHANCE, planned)
