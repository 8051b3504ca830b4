"""Rows and sections of a comparison, without any network."""

from __future__ import annotations

import numpy as np

from segue.trainer.comparison.rows import Row
from segue.trainer.comparison.run_results import MEASURES
from segue.trainer.comparison.runs import Run
from segue.trainer.comparison.section import ClipSet, Section
from segue.trainer.evaluation.known_artists import sample_tracks

_CHANCE = {"accuracy": 0.5, "log_loss": 0.693, "precision": 0.5}


def make_row(name: str, right: float, seeds: tuple[int, ...] = (0,), unit: str = "a") -> Row:
    """Makes the row of a network whose share of right clips is ``right``; all its measures are the same."""
    clips = np.tile(np.arange(200) < 200 * right, (max(1, len(seeds)), 1)).astype(float)
    tracks = tuple(f"{unit}.{number:05}" for number in range(200))
    sample = sample_tracks(tracks, np.zeros(200, int))
    return Row(name, seeds, tracks, sample, dict.fromkeys(MEASURES, clips), "some layer", (12,), (7.4,))


def make_section(*rows: Row, label: str = "fault-filtered", leaky: bool = False) -> Section:
    """Makes the section of a split for which three networks with two seeds are planned."""
    networks = ("paper-cnn", "paper-cnn-lstm", "paper-cnn-lstm-6s")
    planned = tuple(Run(label, name, seed) for name in networks for seed in (0, 1))
    baselines = (make_row("regression", 0.5, ()), make_row("the same, by its posterior", 0.6, ()))
    return Section(label, leaky, (ClipSet("clips", 10, 200, 200, "ab" * 32),), rows, baselines, _CHANCE, planned)
