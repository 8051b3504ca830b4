"""Measures what labels of suggested clips are worth, by simulated labelling of tagged tracks.

    python benchmarks/suggestions.py --tags tags.npz --start 3 6 --rounds 3 --seeds 300 40

For each seed, a quarter of the tracks is for test; no artist is on both sides. The others are unlabelled, except some
tracks of each genre. In each round, a rule chooses 20 tracks, they get the genres in their names, and the head is
trained again. The head is a quick one on the standardised mean logits of the tags, each genre with the same weight: a
logistic regression, or with --head discriminants those that are one of three judges of segue-accurate. Distances are
those of the mean tags.

It prints accuracy and log-loss after each round, and the difference to tracks at random with its standard error over
the seeds. Random is the mean of four draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from segue.trainer.accurate.head import SERVED_WINDOWS, HeadPlan, logits_of
from segue.trainer.accurate.tags import read_tags
from segue.trainer.data.dataset import labels_of
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.evaluation.metrics import classification_metrics
from segue.trainer.labelling.ranking import margins_of, rank_clips
from segue.trainer.splits.split import artist_groups

BATCH = 20
RANDOM_DRAWS = 4
C = 0.1
PLAN = HeadPlan()

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
Rule = Callable[[Floats, Floats, np.random.Generator], Sequence[int]]
"""Chooses rows by their posterior [n, genres] and their mean tags [n, 50], of length 1."""


def suggested(posterior: Floats, tags: Floats, _random: np.random.Generator) -> Sequence[int]:
    """Chooses as ``segue-trainer suggest`` does."""
    return [chosen.row for chosen in rank_clips(posterior, tags, BATCH)]


def smallest_margin(posterior: Floats, _tags: Floats, _random: np.random.Generator) -> Sequence[int]:
    """Chooses the least certain tracks, however similar they are."""
    return _by_margin(posterior)[:BATCH]


def highest_entropy(posterior: Floats, _tags: Floats, _random: np.random.Generator) -> Sequence[int]:
    """Chooses the tracks with the highest entropy, however similar they are."""
    entropy = -(posterior * np.log(np.maximum(posterior, 1e-12))).sum(1)
    return [int(row) for row in np.argsort(-entropy, kind="stable")[:BATCH]]


def k_centre(posterior: Floats, tags: Floats, _random: np.random.Generator) -> Sequence[int]:
    """Chooses by farthest-first traversal from the least certain track, however certain the others are."""
    return _farthest_first(tags, _by_margin(posterior)[0], np.ones(len(posterior)))


def product(posterior: Floats, tags: Floats, _random: np.random.Generator) -> Sequence[int]:
    """Chooses by the largest product of the distance to the nearest chosen track and the root of 1 - margin."""
    return _farthest_first(tags, _by_margin(posterior)[0], np.sqrt(1 - margins_of(posterior)))


def medoids(_posterior: Floats, tags: Floats, _random: np.random.Generator) -> Sequence[int]:
    """Chooses the track nearest to each centre of k-means."""
    clusters = KMeans(BATCH, n_init=3, random_state=0).fit(tags)
    distance = clusters.transform(tags)
    return [int(np.where(clusters.labels_ == n, distance[:, n], np.inf).argmin()) for n in range(BATCH)]


def at_random(posterior: Floats, _tags: Floats, random: np.random.Generator) -> Sequence[int]:
    """Chooses tracks at random."""
    return [int(row) for row in random.permutation(len(posterior))[:BATCH]]


RULES: dict[str, Rule] = {
    "suggest": suggested,
    "distance times root of 1 - margin": product,
    "k-centre": k_centre,
    "medoids of 20 clusters": medoids,
    "smallest margin": smallest_margin,
    "highest entropy": highest_entropy,
}


def _farthest_first(tags: Floats, first: int, weights: NDArray[np.floating[Any]]) -> list[int]:
    chosen, distance = [first], np.full(len(tags), np.inf)
    while len(chosen) < BATCH:
        distance = np.minimum(distance, 1 - tags @ tags[chosen[-1]])
        score = np.maximum(distance, 0) * weights
        score[chosen] = -1
        chosen.append(int(score.argmax()))
    return chosen


def _by_margin(posterior: Floats) -> list[int]:
    return [int(row) for row in np.argsort(margins_of(posterior), kind="stable")]


@dataclass(frozen=True)
class Tracks:
    """Mean logits and mean tags [n, 50], the tags of length 1, genres [n] and groups of artists [n] of the tracks."""

    logits: Floats
    tags: Floats
    genres: Rows
    groups: NDArray[np.str_]

    @classmethod
    def of(cls, tracks: Sequence[TaggedTrack]) -> Tracks:
        """Computes the arrays of tagged tracks."""
        labels = labels_of(track.genre for track in tracks)
        groups = artist_groups(track.track for track in tracks)
        served = [track.spread(SERVED_WINDOWS).tags for track in tracks]
        means = np.stack([tags.mean(0) for tags in served])
        return cls(
            np.stack([logits_of(tags).mean(0) for tags in served]),
            means / np.linalg.norm(means, axis=1, keepdims=True),
            np.array([labels.index(track.genre) for track in tracks]),
            np.array([groups[track.track] for track in tracks]),
        )


class Discriminants:
    """The linear discriminants of ``segue.trainer.accurate.head``."""

    def fit(self, logits: Floats, genres: Rows) -> None:
        """Fits them on standardised mean logits [n, 50]."""
        count = int(genres.max()) + 1
        priors = np.full(count, 1 / count)
        self._model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=PLAN.shrinkage, priors=priors)
        self._model.fit(logits, genres)

    def predict_proba(self, logits: Floats) -> Floats:
        """Predicts tracks: [n, genres]."""
        posterior: Floats = softmax(self._model.decision_function(logits) / PLAN.sharpness, axis=1)
        return posterior


def regression() -> LogisticRegression:
    """Creates a logistic regression that gives each genre the same weight."""
    return LogisticRegression(C=C, class_weight="balanced", max_iter=1_000)


HEADS: dict[str, Callable[[], Any]] = {"regression": regression, "discriminants": Discriminants}


class QuickHead:
    """A classifier of the standardised mean logits of labelled tracks."""

    def __init__(self, tracks: Tracks, labelled: Rows, kind: str) -> None:
        self._tracks = tracks
        logits = tracks.logits[labelled]
        self._mean, self._spread = logits.mean(0), np.maximum(logits.std(0), 1e-3)
        self._classifier = HEADS[kind]()
        self._classifier.fit(self._scale(labelled), tracks.genres[labelled])

    def posterior(self, rows: Rows) -> Floats:
        """Predicts tracks: [rows, genres]."""
        posterior: Floats = self._classifier.predict_proba(self._scale(rows))
        return posterior

    def measure(self, rows: Rows) -> tuple[float, float]:
        """Computes accuracy and log-loss in nats."""
        figures = classification_metrics(self.posterior(rows), self._tracks.genres[rows])
        return figures["accuracy"], figures["log_loss"]

    def _scale(self, rows: Rows) -> Floats:
        scaled: Floats = (self._tracks.logits[rows] - self._mean) / self._spread
        return scaled


@dataclass(frozen=True)
class Trial:
    """One division of the tracks: test tracks, labelled and unlabelled ones."""

    tracks: Tracks
    test: Rows
    labelled: Rows
    unlabelled: Rows

    @classmethod
    def draw(cls, tracks: Tracks, start: int, skewed: bool, seed: int) -> Trial:
        """Draws a division with ``start`` labelled tracks of each genre.

        With ``skewed``, only a sixth of the unlabelled tracks of every other genre, in random order, is kept.
        """
        random = np.random.default_rng(seed)
        folds = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
        rest, test = next(folds.split(tracks.genres, tracks.genres, tracks.groups))
        shuffled = random.permutation(rest)
        by_genre = [shuffled[tracks.genres[shuffled] == genre] for genre in range(tracks.genres.max() + 1)]
        rare: Sequence[int] = random.permutation(len(by_genre))[::2].tolist() if skewed else []
        kept = [rows[start : start + len(rows) // 6 if genre in rare else None] for genre, rows in enumerate(by_genre)]
        return cls(tracks, test, np.concatenate([rows[:start] for rows in by_genre]), np.sort(np.concatenate(kept)))

    def run(self, rule: Rule, options: argparse.Namespace, seed: int) -> list[tuple[float, float]]:
        """Measures accuracy and log-loss at the start and after each round."""
        random = np.random.default_rng(seed)
        labelled, unlabelled = self.labelled, self.unlabelled
        head = QuickHead(self.tracks, labelled, options.head)
        figures = [head.measure(self.test)]
        for _ in range(options.rounds):
            chosen = unlabelled[rule(head.posterior(unlabelled), self.tracks.tags[unlabelled], random)]
            labelled, unlabelled = np.concatenate([labelled, chosen]), np.setdiff1d(unlabelled, chosen)
            head = QuickHead(self.tracks, labelled, options.head)
            figures.append(head.measure(self.test))
        return figures


def measure(tracks: Tracks, options: argparse.Namespace, start: int) -> dict[str, NDArray[np.float64]]:
    """Measures each rule: figures [seeds, 1 + rounds, accuracy and log-loss], first those of random tracks."""
    first, count = options.seeds
    trials = [(seed, Trial.draw(tracks, start, options.skewed, seed)) for seed in range(first, first + count)]
    draws = [
        np.mean([trial.run(at_random, options, 1_000 * seed + draw) for draw in range(RANDOM_DRAWS)], axis=0)
        for seed, trial in trials
    ]
    rules = {name: np.array([trial.run(rule, options, seed) for seed, trial in trials]) for name, rule in RULES.items()}
    return {"at random": np.array(draws)} | rules


def show(figures: dict[str, NDArray[np.float64]]) -> None:
    """Prints the figures at the start, and a line for each rule and round."""
    accuracy, log_loss = figures["at random"][:, 0].mean(0)
    print(f"{'at the start':34}   0 labels: accuracy {accuracy:.3f}, log-loss {log_loss:.3f}")
    for name, values in figures.items():
        difference = values - figures["at random"]
        error = difference.std(0, ddof=1) / np.sqrt(len(values))
        for turn in range(1, values.shape[1]):
            cells = [
                f"{values[:, turn, n].mean():.3f} {difference[:, turn, n].mean():+.3f} (± {error[turn, n]:.3f})"
                for n in (0, 1)
            ]
            print(f"{name:34} {turn * BATCH:3} labels: accuracy {cells[0]}, log-loss {cells[1]}")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tags", type=Path, required=True, help="file that segue-trainer tag wrote")
    parser.add_argument("--start", type=int, nargs="+", default=[3, 6], help="labelled tracks of each genre")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of 20 labels")
    parser.add_argument("--seeds", type=int, nargs=2, default=[300, 10], metavar=("FIRST", "COUNT"))
    parser.add_argument("--head", choices=HEADS, default="regression", help="the classifier that is trained")
    parser.add_argument("--skewed", action="store_true", help="keep few unlabelled tracks of half of the genres")
    options = parser.parse_args()
    tracks = Tracks.of(read_tags(options.tags))
    for start in options.start:
        print(f"{start} labelled tracks of each genre at the start")
        show(measure(tracks, options, start))


if __name__ == "__main__":
    main()
