"""Measures what unlabelled clips are worth to segue-fast when a teacher labels them.

    python benchmarks/distilling.py --input log_mel.npz --tags tags.npz --labelled 10 --draws 2

Both files have the training tracks of GTZAN's fault-filtered split. In each of five folds over artists, some tracks of
each genre are labelled, and the genres of the others are hidden. The student is the linear path of segue-fast; the
teacher is the logistic regression of segue-accurate on the tags of MusiCNN, and is trained on the labelled tracks only.
The student is trained on the labelled tracks, on these and on the others with the posteriors of the teacher, and on
all with their true genres.

It prints log-loss and accuracy of each student and of the teacher, with 95 % intervals over artists, and the share of
the gain of true labels that the teacher's labels bring.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from segue.trainer.accurate.tags import read_tags
from segue.trainer.arrays import AnyFloats, Floats
from segue.trainer.data.dataset import labels_of
from segue.trainer.data.front_end import FRONT_END
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.data.log_mel_archive import read_archive
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.evaluation.calibration import cross_fitted, log_posterior, log_softmax
from segue.trainer.networks.segue_fast import BandScale, Shape
from segue.trainer.networks.window_statistics import build_statistics
from segue.trainer.splits.split import artist_groups
from segue.trainer.training.plans import FastPlan
from segue.trainer.training.train_fast import fit_linear

FOLDS = 5
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """Tracks with their genres [n], artists [n], statistics [n, w, s] and mean tags [n, 50]."""

    labels: tuple[str, ...]
    genres: Rows
    artists: NDArray[np.str_]
    statistics: Floats
    tags: Floats


def read_tracks(archive: Path, tags: Path) -> Tracks:
    """Reads the tracks that both files have."""
    tagged = {track.track: track.tags.mean(0) for track in read_tags(tags)}
    dataset = read_archive(archive, FRONT_END).select(tagged.__contains__)
    windows = served_windows(dataset, FRONT_END)["windows"].astype(np.float32)
    labels, groups = labels_of(dataset.genres.values()), artist_groups(dataset.genres)
    flat = windows.reshape(-1, *windows.shape[2:])
    shape = Shape(FRONT_END.n_mels, FRONT_END.columns, len(labels))
    statistics = build_statistics(shape, BandScale.of(flat)).predict(flat, verbose=0)
    return Tracks(
        labels=labels,
        genres=np.array([labels.index(clip.genre) for clip in dataset.clips]),
        artists=np.array([groups[clip.track] for clip in dataset.clips]),
        statistics=statistics.reshape(*windows.shape[:2], -1),
        tags=np.stack([tagged[clip.track] for clip in dataset.clips]),
    )


def draw_labelled(tracks: Tracks, rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """Draws tracks of each genre among rows."""
    drawn = [random.permutation(rows[tracks.genres[rows] == genre])[:count] for genre in np.unique(tracks.genres[rows])]
    return np.concatenate(drawn)


def predict_student(tracks: Tracks, rows: Rows, targets: Floats, test: Rows) -> AnyFloats:
    """Trains the student on rows with targets [rows, genres], and returns the posterior [test, genres]."""
    windows = tracks.statistics.shape[1]
    linear = fit_linear(np.concatenate(tracks.statistics[rows]), np.repeat(targets, windows, axis=0), FastPlan())
    logits = linear.predict(np.concatenate(tracks.statistics[test]), verbose=0).reshape(len(test), windows, -1)
    posterior: AnyFloats = np.exp(log_softmax(log_softmax(logits).mean(1)))
    return posterior


def predict_fold(tracks: Tracks, train: Rows, test: Rows, count: int, random: np.random.Generator) -> list[AnyFloats]:
    """Predicts a fold by the student on labelled, predicted and true genres, and by the teacher."""
    labelled = draw_labelled(tracks, train, count, random)
    others = np.setdiff1d(train, labelled)
    teacher = LogisticRegression(C=10, class_weight="balanced", max_iter=5_000)
    teacher.fit(tracks.tags[labelled], tracks.genres[labelled])
    true = np.eye(len(tracks.labels), dtype=np.float32)[tracks.genres]
    predicted = np.concatenate([true[labelled], teacher.predict_proba(tracks.tags[others]).astype(np.float32)])
    both = np.concatenate([labelled, others])
    return [
        predict_student(tracks, labelled, true[labelled], test),
        predict_student(tracks, both, predicted, test),
        predict_student(tracks, both, true[both], test),
        teacher.predict_proba(tracks.tags[test]),
    ]


def predict_draw(tracks: Tracks, count: int, seed: int) -> list[AnyFloats]:
    """Predicts each track without its artist."""
    random = np.random.default_rng(seed)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    posteriors: list[AnyFloats] = [np.zeros((len(tracks.genres), len(tracks.labels))) for _ in range(4)]
    for train, test in splitter.split(tracks.genres, tracks.genres, tracks.artists):
        for posterior, predicted in zip(posteriors, predict_fold(tracks, train, test, count, random), strict=True):
            posterior[test] = predicted
    return posteriors


def losses(posterior: AnyFloats, genres: Rows) -> AnyFloats:
    """Computes the log-loss [n] in nats, at temperatures that other tracks fitted."""
    fitted = cross_fitted(posterior, genres)
    if fitted is None:
        raise SystemExit("There are fewer than five tracks.")
    loss: AnyFloats = -log_posterior(fitted)[np.arange(len(genres)), genres]
    return loss


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="log-mel archive (npz)")
    parser.add_argument("--tags", type=Path, required=True, help="tags of MusiCNN (npz)")
    parser.add_argument("--labelled", type=int, nargs="+", default=[10], help="labelled tracks of each genre")
    parser.add_argument("--draws", type=int, default=2)
    options = parser.parse_args()
    tracks = read_tracks(options.input, options.tags)
    sample = ArtistSample(tracks.genres, tracks.artists)
    names = ("student, labelled tracks alone", "student, teacher's genres", "student, true genres", "teacher")
    for count in options.labelled:
        draws = [predict_draw(tracks, count, seed) for seed in range(options.draws)]
        loss = np.mean([[losses(posterior, tracks.genres) for posterior in draw] for draw in draws], axis=0)
        right = np.mean([[posterior.argmax(1) == tracks.genres for posterior in draw] for draw in draws], axis=0)
        print(f"{count} labelled tracks of each genre, {len(tracks.genres)} tracks, {options.draws} draws")
        for name, one_loss, one_right in zip(names, loss, right, strict=True):
            print(f"  {name}: log-loss {sample.interval(one_loss)}, accuracy {sample.interval(one_right)}")
        gain = sample.interval(loss[0] - loss[1])
        share = (loss[0] - loss[1]).mean() / (loss[0] - loss[2]).mean()
        print(f"  gain of the teacher's genres: log-loss {gain:+.3f}, {share:.0%} of that of true genres", flush=True)


if __name__ == "__main__":
    main()
