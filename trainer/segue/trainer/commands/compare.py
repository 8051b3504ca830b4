"""The command that compares the networks, and trains what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segue.trainer import console
from segue.trainer.comparison.measure import measure_networks, measure_regression
from segue.trainer.comparison.readme_table import split_at_marks, write_summary
from segue.trainer.comparison.results_page import Section, page
from segue.trainer.comparison.rows import Run
from segue.trainer.comparison.train_missing import train_run
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.front_end import FRONT_END, MAX_WINDOWS
from segue.trainer.data.inputs import open_input, select_all
from segue.trainer.data.labelled_windows import chunk_dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.evaluation.baselines import chance
from segue.trainer.outputs import check_writable, write_text
from segue.trainer.splits.strategies import SplitSpec
from segue.trainer.training.fit import EpochCallback
from segue.trainer.training.recipes import RECIPES

# What the page is about: the split that parts artists, by three seeds, and the one that leaks, by one.
GRID: Mapping[str, tuple[int, ...]] = {"fault-filtered": (0, 1, 2), "chunk-random": (0,)}


@dataclass(frozen=True)
class CompareSettings:
    """What ``segue-trainer compare`` was told.

    Attributes:
        source: a folder of audio, or an archive.
        runs: the folder of the artifacts.
        output: the page.
        train: whether missing networks are trained.
        cache: the folder that features of audio are kept in.
        readme: the page that the short table is written into, or None.
    """

    source: Path
    runs: Path
    output: Path
    train: bool
    cache: Path
    readme: Path | None = None


def compare(settings: CompareSettings) -> None:
    """Writes the page, and trains what is missing where that is asked for.

    Raises:
        SegueError: the input or an artifact cannot be used, or a training fails.
    """
    check_writable(settings.output)
    if settings.readme:
        split_at_marks(settings.readme)
    with console.bar("reading clips") as bar:
        kept = FeatureCache(settings.cache, FRONT_END)
        dataset = open_input(settings.source, FRONT_END).read(select_all, bar, kept)

    @cache
    def sides(name: str) -> TrainValidSplit:
        wish = SplitSpec(name)
        clips = chunk_dataset(dataset, FRONT_END, MAX_WINDOWS) if wish.by_chunk else dataset
        return TrainValidSplit.of(clips, wish.known() or wish.draw(clips.genres))

    wanted = [Run(split, network, seed) for split, seeds in GRID.items() for network in RECIPES for seed in seeds]
    for run in wanted if settings.train else ():
        train_run(run, sides(run.split), settings.runs, _watch(run))
    sections = [
        _section(tuple(run for run in wanted if run.split == name), sides(name), settings.runs) for name in GRID
    ]
    write_text(settings.output, page(sections, _again(settings)))
    console.note(f"written to {settings.output}")
    if settings.readme:
        write_summary(settings.readme, sections)
        console.note(f"written into {settings.readme}")


def _section(wanted: tuple[Run, ...], sides: TrainValidSplit, runs: Path) -> Section:
    baselines, judged, pool = measure_regression(sides)
    return Section(
        label=sides.split.label,
        digest=sides.split.digest,
        learnt=len(sides.learnt.clips),
        judged=len(sides.valid.clips),
        rows=tuple(measure_networks(wanted, sides, runs)),
        baselines=baselines,
        chance=chance(judged, pool),
        wanted=wanted,
    )


def _watch(run: Run) -> EpochCallback:
    most = RECIPES[run.network].plan.epochs

    def tell(epoch: int, figures: Mapping[str, float]) -> None:
        console.note(
            f"{run.split}, {run.network}, seed {run.seed}, epoch {epoch}/{most}: loss {figures['loss']:.3f}, "
            f"validation log-loss {figures['val_log_loss']:.3f}, accuracy {figures['val_accuracy']:.3f}"
        )

    return tell


def _again(settings: CompareSettings) -> str:
    source = "FOLDER" if settings.source.is_dir() else "ARCHIVE"
    return f"segue-trainer compare --train --input {source} --runs RUNS --output docs/results.md --readme README.md"
