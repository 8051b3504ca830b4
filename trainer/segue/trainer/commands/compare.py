"""Runs ``segue-trainer compare``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from segue.trainer import console
from segue.trainer.comparison.baseline import measure_baselines
from segue.trainer.comparison.compared_clips import ComparedClips, front_end_of
from segue.trainer.comparison.measure import measure_run
from segue.trainer.comparison.results_page import results_page
from segue.trainer.comparison.rows import row_of
from segue.trainer.comparison.run_results import RunResults, has_results, read_results
from segue.trainer.comparison.runs import Run, planned_runs
from segue.trainer.comparison.section import Section
from segue.trainer.comparison.train_missing import has_model, train_missing
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.inputs import open_input, select_all
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.outputs import check_writable, write_text
from segue.trainer.reporting.figures import curves, save_figure
from segue.trainer.runs.read_clips import read_clips
from segue.trainer.settings import CompareSettings
from segue.trainer.training.fit import EpochCallback
from segue.trainer.training.recipes import RECIPES

PICTURES = "images"
"""Folder of the pictures, in that of the page."""


def compare(settings: CompareSettings) -> None:
    """Compares the networks and writes the results page; trains missing networks where the settings ask for it.

    Raises:
        SegueError: the input, a model or results cannot be used, or a training fails.
    """
    for output in (settings.output, settings.output.parent / PICTURES / "any", settings.results / "any"):
        check_writable(output)
    clips, planned = _read_clips(settings), planned_runs()
    for runs in planned.values():
        # Results that cannot be used are refused before hours of training.
        _results(runs, clips, settings)
    for run in (run for runs in planned.values() for run in runs):
        _complete(run, clips, settings)
    results = {split: _results(runs, clips, settings) for split, runs in planned.items()}
    sections = [_section(planned[split], results[split], clips) for split in planned]
    pictures = _draw_training(results, settings.output)
    kept = os.path.relpath(settings.results, settings.output.parent)
    write_text(settings.output, results_page(sections, _command(settings), kept, pictures))
    console.notify(f"written to {settings.output}")


def _read_clips(settings: CompareSettings) -> ComparedClips:
    # Of all front ends, the one with the longest window drops the clips that are too short for any.
    front_end = max((recipe.front_end for recipe in RECIPES.values()), key=lambda front_end: front_end.columns)
    cache = FeatureCache(settings.cache, front_end)
    return ComparedClips(
        read_clips(open_input(settings.source, front_end), select_all, front_end, cache, by_chunk=False)
    )


def _complete(run: Run, clips: ComparedClips, settings: CompareSettings) -> None:
    """Measures a run that has no results yet, and trains it before if the settings ask for it.

    Joined networks are never trained for themselves: their row would be that of other networks than the rows of each.
    """
    if has_results(run, settings.results):
        return
    if settings.train and run.members == (run,):
        train_missing(run, clips.of(run), settings.runs, _epoch_notifier(run))
    if has_model(run, settings.runs):
        measure_run(run, clips.of(run), settings.runs).save(settings.results)
        console.notify(f"{run.folder(settings.results)}: measured")


def _results(runs: Sequence[Run], clips: ComparedClips, settings: CompareSettings) -> list[RunResults]:
    measured = [run for run in runs if has_results(run, settings.results)]
    return [read_results(run, settings.results, clips.of(run)) for run in measured]


def _section(planned: tuple[Run, ...], results: Sequence[RunResults], clips: ComparedClips) -> Section:
    data = clips.of(planned[0])
    baselines, by_chance = measure_baselines(data, front_end_of(planned[0]))
    by_network: dict[str, list[RunResults]] = {}
    for result in results:
        by_network.setdefault(result.run.network, []).append(result)
    return Section(
        label=data.split.label,
        leaky=data.split.leaky,
        clips=clips.sets(planned),
        rows=tuple(row_of(same, clips.sample(same[0].run)) for same in by_network.values()),
        baselines=baselines,
        chance=by_chance,
        planned=planned,
    )


def _draw_training(results: Mapping[str, Sequence[RunResults]], page: Path) -> dict[str, str]:
    """Draws the training of the paper's networks into a folder next to the page.

    Returns:
        The paths of the pictures, relative to the page, by their titles; none for a page that is no file.
    """
    drawn: dict[str, str] = {}
    for split, network in ((split, network) for split in results for network in (CNN, CNN_LSTM)):
        records = [result.record for result in results[split] if result.run.network == network and result.record]
        if not records or (page.exists() and not page.is_file()):
            continue
        title, path = f"{network} on {records[0].split}", f"{PICTURES}/training-{split}-{network}.png"
        (page.parent / PICTURES).mkdir(parents=True, exist_ok=True)
        save_figure(curves(records), page.parent / path, title)
        drawn[title] = path
    return drawn


def _epoch_notifier(run: Run) -> EpochCallback:
    epochs = RECIPES[run.network].plan.epochs

    def notify(epoch: int, figures: Mapping[str, float]) -> None:
        text = console.describe_epoch(epoch, epochs, figures)
        console.notify(f"{run.split}, {run.network}, seed {run.seed}, {text}")

    return notify


def _command(settings: CompareSettings) -> str:
    source = "FOLDER" if settings.source.is_dir() else "ARCHIVE"
    folders = f"--runs RUNS --results {settings.results} --output {settings.output}"
    return f"segue-trainer compare --train --input {source} {folders}"
