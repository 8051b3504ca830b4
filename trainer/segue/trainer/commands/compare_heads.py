"""Runs ``segue-trainer compare-heads``."""

from __future__ import annotations

import click

from segue.trainer import console
from segue.trainer.accurate.head import HeadPlan
from segue.trainer.accurate.head_trial import compare_heads as run
from segue.trainer.accurate.tags import MORE_GENRES, caution_about_copies, training_tracks
from segue.trainer.cross_validation.folds import FOLDS
from segue.trainer.data.dataset import labels_of
from segue.trainer.settings import CompareHeadsSettings


def compare_heads(settings: CompareHeadsSettings) -> None:
    """Evaluates the designs of the head of segue-accurate, and prints the results as Markdown.

    Raises:
        SegueError: the tags or the split cannot be used.
    """
    tracks = training_tracks(settings.tags, settings.split)
    labels = labels_of((track.genre for track in tracks), MORE_GENRES)
    for sentence in caution_about_copies(tracks):
        console.notify(sentence)

    def report(draw: int, fold: int) -> None:
        console.notify(f"draw {draw + 1} of {settings.draws}, fold {fold + 1} of {FOLDS}")

    for line in run(tracks, labels, HeadPlan(seed=settings.seed), settings.draws, report).lines():
        click.echo(line)
