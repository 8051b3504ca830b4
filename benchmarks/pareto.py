r"""Measures accuracy against cost: segue-accurate with one to five windows of a clip, and segue-fast.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/pareto.py --tags tags.npz --backbone musicnn.npz \
        --clips CLIP... [--archive log_mel.npz] [--draws 4]

The heads of segue-accurate are cross-validated over artists on the tags, in several draws of the folds; the tracks and
the folds of a draw are the same for all numbers of windows. With the log-mel archive, segue-fast is measured on the
validation side of the fault-filtered split, which is another set of tracks. P@10 is measured on the clips, named as in
GTZAN, with clips of other artists recommended; no genre has a part in the embeddings of segue-accurate. Intervals are
those of artists.

The time is that of one clip, decoded, extracted and predicted on one core: the median over rounds in which the models
take turns, with 13 of the clips. Prints Markdown, and on standard error how far it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from segue.core.features.extract import extract
from segue.core.features.windows import Windows
from segue.core.model.artifact import Manifest
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.paths import resolve_model
from segue.trainer import console
from segue.trainer.accurate.cross_validation import TagArrays, cross_validate
from segue.trainer.accurate.head import JUDGES, SERVED_WINDOWS, HeadPlan, train_head
from segue.trainer.accurate.head_trial import judgement
from segue.trainer.accurate.musicnn import FEATURES
from segue.trainer.accurate.signatures import AccurateServingGraph
from segue.trainer.accurate.tags import genre_of, read_tags
from segue.trainer.accurate.weights import read_backbone
from segue.trainer.cross_validation.scores import CrossValidated, Scores, other_artists_precision
from segue.trainer.data.dataset import labels_of
from segue.trainer.data.inputs import open_input
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.evaluation.artists import ArtistSample, Interval
from segue.trainer.evaluation.known_artists import sample_tracks
from segue.trainer.evaluation.leakage import count_leakage, training_split
from segue.trainer.evaluation.predict import predict
from segue.trainer.export.artifact import write_artifact
from segue.trainer.reporting.markdown import table
from segue.trainer.splits.split import VALID, artist_groups, load_split

FAST = "segue-fast"
ROUNDS = 7
TIMED_CLIPS = 13
NUMBERS = tuple(range(1, SERVED_WINDOWS + 1))
PLAN = HeadPlan()


@dataclass(frozen=True)
class Measured:
    """The scores of a model, and the genres and artists of the tracks that it was measured on."""

    scores: Scores
    sample: ArtistSample

    @property
    def cells(self) -> tuple[str, ...]:
        """Returns accuracy and log-loss with their intervals."""
        return tuple(str(self.sample.interval(values)) for values in (self.scores.right, self.scores.loss))


def measure_heads(tracks: Sequence[TaggedTrack], draws: int) -> dict[int, Measured]:
    """Cross-validates heads for each number of windows."""
    labels = labels_of(track.genre for track in tracks)
    arrays = TagArrays.of(tracks, labels, SERVED_WINDOWS)
    sample = ArtistSample(arrays.genres, arrays.groups)
    validated: dict[int, list[CrossValidated]] = {number: [] for number in NUMBERS}
    for draw in range(draws):
        for number, results in validated.items():
            plan = replace(PLAN, seed=draw, windows=number)
            results.append(cross_validate(tracks, labels, plan)[JUDGES])
            print(f"draw {draw + 1} of {draws}, {number} of {SERVED_WINDOWS} windows", file=sys.stderr, flush=True)
    return {number: Measured(Scores.of(results), sample) for number, results in validated.items()}


def measure_fast(archive: Path) -> Measured:
    """Measures segue-fast on the validation side of the fault-filtered split."""
    model, split = load_model(resolve_model(FAST)), load_split("fault-filtered")
    with console.progress_bar("extracting windows") as progress:
        clips, _ = open_input(archive, model.manifest.features).extract(
            model.manifest.windows, lambda track: split.side(track) == VALID, progress
        )
    predicted = predict(model, clips)
    if count_leakage(training_split(resolve_model(FAST), model.manifest), predicted.tracks).trained_on:
        raise SystemExit(
            f"{FAST} was trained on the validation clips, so its figures would be too good. Leave out --archive: its "
            "card has those of networks that were not."
        )
    groups = artist_groups(predicted.tracks)
    artists = np.array([groups[track] for track in predicted.tracks])
    unmeasured = np.full(len(artists), np.nan)
    validated = CrossValidated(predicted.genres, predicted.posterior, predicted.window_posteriors, unmeasured)
    return Measured(Scores.of([validated]), ArtistSample(predicted.genres, artists))


def measure_precision(clips: Sequence[Path], model: Model) -> Interval:
    """Measures the genre precision at 10 among clips, with those of other artists recommended."""
    names = [clip.stem for clip in clips]
    genres = np.unique([genre_of(name) for name in names], return_inverse=True)[1]
    groups = artist_groups(names)
    predictions = model.predict([_extract(clip, model) for clip in clips])
    embedding = np.stack([prediction.embedding for prediction in predictions])
    precision = other_artists_precision(genres, np.array([groups[name] for name in names]), embedding)
    return sample_tracks(names, genres).interval(precision)


def _extract(clip: Path, model: Model) -> Windows:
    return extract(clip, model.manifest.features, model.manifest.windows).windows


def measure_cost(clips: Sequence[Path], models: Mapping[str, Model]) -> dict[str, NDArray[np.float64]]:
    """Measures the processor seconds of a clip in each round [rounds], all threads of this process together."""
    rounds = [[_seconds(model, clips) for model in models.values()] for _ in range(ROUNDS + 1)]
    # The first round includes what is loaded and compiled once.
    return dict(zip(models, np.array(rounds[1:]).T, strict=True))


def _seconds(model: Model, clips: Sequence[Path]) -> float:
    start = time.process_time()
    for clip in clips:
        model.predict([_extract(clip, model)])
    return (time.process_time() - start) / len(clips)


def models_of(tracks: Sequence[TaggedTrack], backbone: Path, folder: Path) -> Iterator[tuple[str, Model]]:
    """Yields a model for each number of windows, hardly trained: the time does not depend on the weights."""
    network, labels = read_backbone(backbone), labels_of(track.genre for track in tracks)
    for number in NUMBERS:
        head = train_head(tracks, labels, replace(PLAN, windows=number, steps=1))
        graph = AccurateServingGraph(network, head, 1.0)
        manifest = Manifest(
            name="pareto",
            model_id="",
            labels=labels,
            windows=number,
            feature_width=graph.feature_width,
            embedding_width=graph.embedding_width,
            features=FEATURES,
            temperature=1.0,
            split_digest="",
            novelty_limit=0.0,
        )
        write_artifact(folder / str(number), graph, manifest, lambda _: ({}, ""))
        yield _name(number), load_model(folder / str(number))
    yield FAST, load_model(resolve_model(FAST))


def _name(number: int) -> str:
    return f"segue-accurate, {number} window{'s' if number > 1 else ''}"


def main() -> None:
    """Prints the tables."""
    options = parse_options()
    tracks = read_tags(options.tags)
    with tempfile.TemporaryDirectory() as folder:
        models = dict(models_of(tracks, options.backbone, Path(folder)))
        costs = measure_cost(options.clips[:: -(-len(options.clips) // TIMED_CLIPS)], models)
        precisions = {name: measure_precision(options.clips, model) for name, model in models.items()}
    print_lines(cost_lines(costs))
    heads = measure_heads(tracks, options.draws)
    measured = {_name(number): heads[number] for number in reversed(NUMBERS)}
    if options.archive:
        measured[FAST] = measure_fast(options.archive)
    print_lines(accuracy_lines(measured, precisions, costs))
    print_lines(gain_lines(heads))


def cost_lines(costs: Mapping[str, NDArray[np.float64]]) -> Iterator[str]:
    """Yields the table of times, relative to the most windows in the same round."""
    head = ("model", "ms a clip", "relative", "lowest and highest round")
    shares = {name: seconds / costs[_name(SERVED_WINDOWS)] for name, seconds in costs.items()}
    yield from table(
        head,
        (
            (name, f"{1000 * np.median(costs[name]):.1f}", f"{np.median(x):.2f}", f"{x.min():.2f} to {x.max():.2f}")
            for name, x in shares.items()
        ),
    )


def accuracy_lines(
    measured: Mapping[str, Measured], precisions: Mapping[str, Interval], costs: Mapping[str, NDArray[np.float64]]
) -> Iterator[str]:
    """Yields the table of models."""
    full = costs[_name(SERVED_WINDOWS)]

    def row(name: str) -> tuple[str, ...]:
        ms, share = f"{1000 * np.median(costs[name]):.1f}", f"{np.median(costs[name] / full):.2f}"
        return name, *measured[name].cells, str(precisions[name]), ms, share

    head = ("model", "accuracy", "log-loss", "P@10, other artists", "ms a clip", "relative")
    yield from table(head, map(row, measured))


def gain_lines(heads: Mapping[int, Measured]) -> Iterator[str]:
    """Yields by how much fewer windows are better or worse than five, on the same tracks."""
    full = heads[SERVED_WINDOWS]

    def row(number: int) -> tuple[str, ...]:
        gains = heads[number].scores.gains(full.scores)
        intervals = {name: full.sample.interval(gains[name]) for name in ("accuracy", "log-loss")}
        cells = (f"{interval:+.3f}" for interval in intervals.values())
        return _name(number), *cells, judgement(intervals["log-loss"])

    head = (f"gain over {SERVED_WINDOWS} windows", "accuracy", "log-loss", "result by log-loss")
    yield from table(head, (row(number) for number in reversed(NUMBERS[:-1])))


def print_lines(lines: Iterator[str]) -> None:
    """Prints lines and an empty one."""
    print(*lines, "", sep="\n", flush=True)


def parse_options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tags", type=Path, required=True, help="tags of the tracks (npz)")
    parser.add_argument("--backbone", type=Path, required=True, help="MusiCNN's weights (npz)")
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="clips of GTZAN")
    parser.add_argument("--archive", type=Path, help="log-mel archive (npz) on which segue-fast is evaluated")
    parser.add_argument("--draws", type=int, default=4, help="number of draws of the folds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
