"""Measures whether discriminants or support vectors pay in the linear path of segue-fast.

    python benchmarks/linear_paths.py --input log_mel.npz --tags tags.npz --draws 4

The files have the clips of GTZAN's fault-filtered split, and MusiCNN's tags of its training side. In each of five folds
over artists, three judges get the same statistics of a clip's windows: the regression of segue-fast, trained as it is
today, linear discriminants with a shrunk covariance (Ledoit and Wolf 2004), and support vectors with a Gaussian kernel
on the mean of the windows. Judges that predict together have equal shares, each at a temperature of its own.

The rule, written down before the first run: a design replaces the regression if its log-loss is clearly better by 0.03
or more, and neither accuracy nor genre precision is clearly worse. Judges of the same statistics are not unlike, so of
designs that do not differ clearly, the simplest is kept, the regression. A winner has to win again with the CNN.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from segue.trainer.accurate.head_trial import judgement
from segue.trainer.arrays import AnyFloats, Floats, Positions
from segue.trainer.cross_validation.folds import artist_folds, artists_of
from segue.trainer.cross_validation.scores import CrossValidated, Scores, other_artists_precision
from segue.trainer.data.dataset import Dataset, genres_of, labels_of
from segue.trainer.data.front_end import FRONT_END
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.data.log_mel_archive import read_archive
from segue.trainer.data.tag_file import read_plain_tags
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.evaluation.calibration import fit_temperature, log_softmax
from segue.trainer.networks.segue_fast import BandScale, Shape
from segue.trainer.networks.window_statistics import build_statistics
from segue.trainer.reporting.markdown import table
from segue.trainer.training.distillation import attach_teacher_tags, nearest_patches, soft_targets
from segue.trainer.training.plans import FastPlan
from segue.trainer.training.train_fast import fit_linear

REGRESSION, DISCRIMINANTS, VECTORS = JUDGES = ("regression", "discriminants", "support vectors")
DESIGNS = (
    (REGRESSION,),
    (DISCRIMINANTS,),
    (VECTORS,),
    (REGRESSION, DISCRIMINANTS),
    (REGRESSION, VECTORS),
    JUDGES,
)
Logits = Mapping[str, AnyFloats]
"""Logits of all clips [clips, genres] by each judge."""


@dataclass(frozen=True)
class Clips:
    """Clips with their genres [n], artists [n] and statistics [n, w, s]."""

    dataset: Dataset
    labels: tuple[str, ...]
    genres: Positions
    artists: NDArray[np.str_]
    statistics: Floats

    @classmethod
    def read(cls, archive: Path, tags: Path) -> Clips:
        """Reads an archive whose clips all have as many windows."""
        dataset = attach_teacher_tags(read_archive(archive, FRONT_END), read_plain_tags(tags))
        windows = served_windows(dataset, FRONT_END)["windows"].astype(np.float32)
        labels = labels_of(dataset.genres.values())
        flat = windows.reshape(-1, *windows.shape[2:])
        shape = Shape(FRONT_END.n_mels, FRONT_END.columns, len(labels))
        statistics = build_statistics(shape, BandScale.of(flat)).predict(flat, verbose=0)
        return cls(
            dataset=dataset,
            labels=labels,
            genres=genres_of(dataset, labels),
            artists=artists_of(dataset),
            statistics=statistics.reshape(*windows.shape[:2], -1),
        )


def fit_judges(clips: Clips, train: Positions) -> Logits:
    """Fits the judges to some of the clips, and predicts all of them."""
    windows = clips.statistics.shape[1]
    scaler = StandardScaler().fit(np.concatenate(clips.statistics[train]).astype(np.float64))
    scaled = scaler.transform(np.concatenate(clips.statistics).astype(np.float64)).reshape(clips.statistics.shape)
    share = np.full(len(clips.labels), 1 / len(clips.labels))
    discriminants = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=share)
    discriminants.fit(np.concatenate(scaled[train]), np.repeat(clips.genres[train], windows))
    vectors = OneVsRestClassifier(SVC(C=10, class_weight="balanced"))
    vectors.fit(scaled[train].mean(1), clips.genres[train])
    return {
        REGRESSION: _regression(clips, train),
        DISCRIMINANTS: discriminants.decision_function(np.concatenate(scaled)).reshape(*scaled.shape[:2], -1).mean(1),
        VECTORS: vectors.decision_function(scaled.mean(1)),
    }


def _regression(clips: Clips, train: Positions) -> AnyFloats:
    """Fits the regression as segue-fast does, with the teacher's tags."""
    windows, plan = clips.statistics.shape[1], FastPlan()
    selected = Dataset(tuple(clips.dataset.clips[row] for row in train))
    places = np.linspace(0, 1, windows)
    targets = soft_targets(selected, clips.labels, plan.distillation_weight)
    of_windows = np.concatenate([nearest_patches(target, places) for target in targets])
    linear = fit_linear(np.concatenate(clips.statistics[train]), of_windows, plan)
    logits = linear.predict(np.concatenate(clips.statistics), verbose=0).reshape(*clips.statistics.shape[:2], -1)
    of_clips: AnyFloats = log_softmax(logits.astype(np.float64)).mean(1)
    return of_clips


def score_design(clips: Clips, design: tuple[str, ...], folds: list[tuple[Positions, Logits]]) -> CrossValidated:
    """Joins the judges of a design, and scores each clip by the judges that were fitted without its artist."""
    temperatures = {}
    for judge in design:
        held_out = np.concatenate([logits[judge][rows] for rows, logits in folds])
        temperatures[judge] = fit_temperature(held_out, np.concatenate([clips.genres[rows] for rows, _ in folds]))
    posterior = np.zeros((len(clips.genres), len(clips.labels)))
    precision = np.zeros(len(clips.genres))
    for rows, logits in folds:
        joined = np.mean([log_softmax(logits[judge] / temperatures[judge]) for judge in design], axis=0)
        posterior[rows] = np.exp(log_softmax(joined))[rows]
        vectors = joined - joined.mean(1, keepdims=True)
        precision[rows] = other_artists_precision(clips.genres, clips.artists, vectors, rows)
    return CrossValidated(clips.genres, posterior.astype(np.float32), (), precision)


def measure(clips: Clips, draws: int) -> dict[tuple[str, ...], Scores]:
    """Scores each design in the same draws of the folds."""
    validated: dict[tuple[str, ...], list[CrossValidated]] = {design: [] for design in DESIGNS}
    for draw in range(draws):
        folds = []
        for number, (train, held_out) in enumerate(artist_folds(clips.genres, clips.artists, clips.labels, draw)):
            print(f"draw {draw + 1} of {draws}, fold {number + 1}", file=sys.stderr, flush=True)
            folds.append((held_out, fit_judges(clips, train)))
        for design, results in validated.items():
            results.append(score_design(clips, design, folds))
    return {design: Scores.of(results) for design, results in validated.items()}


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="log-mel archive (npz)")
    parser.add_argument("--tags", type=Path, required=True, help="tags of MusiCNN (npz)")
    parser.add_argument("--draws", type=int, default=4)
    options = parser.parse_args()
    clips = Clips.read(options.input, options.tags)
    sample, scores = ArtistSample(clips.genres, clips.artists), measure(clips, options.draws)
    print(f"{len(clips.genres)} clips, worth {sample.effective_artists():.0f} artists, {options.draws} draws\n")
    rows = [
        (" + ".join(design), *(str(sample.interval(values)) for values in (one.loss, one.right, one.precision)))
        for design, one in scores.items()
    ]
    print("\n".join(table(("design", "log-loss", "accuracy", "P@10, other artists"), rows)), end="\n\n")
    gains = {design: one.gains(scores[DESIGNS[0]]) for design, one in scores.items() if design != DESIGNS[0]}
    head = ("gain over the regression", "log-loss", "accuracy", "P@10", "result by log-loss")
    intervals = {design: [sample.interval(values) for values in gain.values()] for design, gain in gains.items()}
    lines = [
        (" + ".join(design), *(f"{x:+.3f}" for x in gain), judgement(gain[0])) for design, gain in intervals.items()
    ]
    print("\n".join(table(head, lines)))


if __name__ == "__main__":
    main()
