"""Runs ``segue-trainer split``."""

from __future__ import annotations

from collections import Counter

import click

from segue.trainer.data.front_end import FRONT_END
from segue.trainer.data.inputs import open_input, select_all
from segue.trainer.runs.read_clips import read_clips
from segue.trainer.settings import SplitSettings
from segue.trainer.splits.split import Split
from segue.trainer.splits.strategies import SplitSpec


def split(settings: SplitSettings) -> None:
    """Draws a split, writes its file, and prints its label, its digest and the size of each side.

    Raises:
        SegueError: the input cannot be used, or the split cannot be drawn from it.
    """
    spec = SplitSpec(settings.split, settings.seed, settings.folds, settings.fold)
    result = spec.load() or _draw(spec, settings)
    result.save(settings.output)
    lines = {"split": result.label, "digest": result.digest, **Counter(result.sides.values())}
    for name, value in lines.items():
        click.echo(f"{name}\t{value}")


def _draw(spec: SplitSpec, settings: SplitSettings) -> Split:
    labelled = open_input(settings.source, FRONT_END)
    # The number of a clip's chunks is known only once it is decoded.
    if spec.by_chunk:
        return spec.draw(read_clips(labelled, select_all, FRONT_END, by_chunk=True).genres)
    return spec.draw(labelled.genres)
