"""Runs ``segue-trainer compare``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from segue.trainer import console
from segue.trainer.comparison.measure import measure_networks, measure_regression
from segue.trainer.comparison.results_page import Section, results_page
from segue.trainer.comparison.rows import Run
from segue.trainer.comparison.train_missing import train_missing
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.front_end import FRONT_END, MAX_WINDOWS
from segue.trainer.data.inputs import open_input, select_all
from segue.trainer.data.labelled_windows import chunk_dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.evaluation.baselines import chance
from segue.trainer.outputs import check_writable, write_text
from segue.trainer.settings import CompareSettings
from segue.trainer.splits.strategies import SplitSpec
from segue.trainer.training.fit import EpochCallback
from segue.trainer.training.recipes import RECIPES

# The seeds for each split: three where artists are separated, one where the split leaks.
GRID: Mapping[str, tuple[int, ...]] = {"fault-filtered": (0, 1, 2), "chunk-random": (0,)}


def compare(settings: CompareSettings) -> None:
    """Compares the networks and writes the results page; trains missing networks where the settings ask for it.

    Raises:
        SegueError: the input or an artifact cannot be used, or a training fails.
    """
    check_writable(settings.output)
    with console.progress_bar("reading clips") as progress:
        feature_cache = FeatureCache(settings.cache, FRONT_END)
        dataset = open_input(settings.source, FRONT_END).read(select_all, progress, feature_cache)

    @cache
    def data_of(split: str) -> TrainValidSplit:
        spec = SplitSpec(split)
        clips = chunk_dataset(dataset, FRONT_END, MAX_WINDOWS) if spec.by_chunk else dataset
        return TrainValidSplit.of(clips, spec.load() or spec.draw(clips.genres))

    planned = [Run(split, network, seed) for split, seeds in GRID.items() for network in RECIPES for seed in seeds]
    for run in planned if settings.train else ():
        train_missing(run, data_of(run.split), settings.runs, _epoch_notifier(run))
    sections = [
        _section(tuple(run for run in planned if run.split == split), data_of(split), settings) for split in GRID
    ]
    write_text(settings.output, results_page(sections, _command(settings)))
    console.notify(f"written to {settings.output}")


def _section(planned: tuple[Run, ...], data: TrainValidSplit, settings: CompareSettings) -> Section:
    baselines, predictions, pool = measure_regression(data)
    return Section(
        label=data.split.label,
        digest=data.split.digest,
        leaky=data.split.leaky,
        train=len(data.train.clips),
        evaluated=len(data.validation.clips),
        rows=tuple(measure_networks(planned, data, settings.runs)),
        baselines=baselines,
        chance=chance(predictions, pool),
        planned=planned,
    )


def _epoch_notifier(run: Run) -> EpochCallback:
    epochs = RECIPES[run.network].plan.epochs

    def notify(epoch: int, figures: Mapping[str, float]) -> None:
        text = console.describe_epoch(epoch, epochs, figures)
        console.notify(f"{run.split}, {run.network}, seed {run.seed}, {text}")

    return notify


def _command(settings: CompareSettings) -> str:
    source = "FOLDER" if settings.source.is_dir() else "ARCHIVE"
    return f"segue-trainer compare --train --input {source} --runs RUNS --output docs/results.md"
