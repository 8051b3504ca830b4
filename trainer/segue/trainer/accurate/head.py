"""The head of ``segue-accurate``: from the tags of a clip's windows to its genre.

The posterior is the normalised geometric mean of those of three unlike judges. Linear discriminants with a shrunk
covariance (Ledoit and Wolf 2004) get the mean of the standardised logits of the tags over the windows. Small networks
with a linear path and an LSTM get the logits of each window. Logistic regression gets the mean of the tags themselves,
in which a tag that is absent counts little. Every genre has the same prior, whatever the training tracks are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.accurate.novelty import Novelty
from segue.trainer.arrays import Floats
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.networks.segue_fast import Shape, build_decider

SERVED_WINDOWS = 5
"""Largest number of windows of a track that can be served."""

MIN_TAG = 1e-3
"""Tags are clipped to this distance from 0 and 1, which keeps their logits in [-6.9, 6.9]."""

DISCRIMINANTS, NETWORKS, REGRESSION = "discriminants", "networks", "regression"
JUDGES = (DISCRIMINANTS, NETWORKS, REGRESSION)
"""The judges of a head; their posteriors have equal shares."""

Genres = NDArray[np.int64]


@dataclass(frozen=True)
class HeadPlan:
    """Settings for a head; docs/adr/0013 explains the values.

    Attributes:
        seed: the same seed gives the same head on the same machine.
        windows: largest number of windows of a track that are served, from 1 to ``SERVED_WINDOWS``.
        networks: number of networks that are trained from different seeds and averaged.
        memory: units of each LSTM.
        steps: steps of Adam, each on other windows of every track.
        learning_rate: initial rate of Adam, which falls to 0 along half a cosine (Loshchilov and Hutter 2017).
        mixup: alpha of the shares in which two tracks are mixed (Zhang et al. 2018).
        linear_decay: decay of the squared weights of the linear path.
        memory_decay: decay of the squared weights of the LSTM.
        shrinkage: shrinkage of the covariance towards a multiple of the identity, in [0, 1].
        sharpness: divisor of the discriminants' logits, which treat tags as independent and so are too confident.
        inverse_penalty: C of the regression, the inverse of the weight of its penalty.
    """

    seed: int = 0
    windows: int = SERVED_WINDOWS
    networks: int = 3
    memory: int = 16
    steps: int = 300
    learning_rate: float = 0.01
    mixup: float = 0.4
    linear_decay: float = 0.014
    memory_decay: float = 0.003
    shrinkage: float = 0.2
    sharpness: float = 4.2
    inverse_penalty: float = 10.0


@dataclass(frozen=True)
class TagScale:
    """The mean and the spread [50] of the mean logits of tracks."""

    mean: Floats
    spread: Floats

    def __call__(self, tags: Floats) -> Floats:
        """Standardises the logits of tags [..., 50]."""
        scaled: Floats = (logits_of(tags) - self.mean) / self.spread
        return scaled


class Linear(NamedTuple):
    """A linear classifier: weights [50, genres] and bias [genres] of its logits."""

    weights: Floats
    bias: Floats

    @classmethod
    def of(cls, coefficients: Floats, intercept: Floats) -> Linear:
        """Converts coefficients [genres, 50] and an intercept [genres] of scikit-learn.

        For two genres they have one row, of the second genre against the first.
        """
        weights, bias = coefficients.T, intercept
        if weights.shape[1] == 1:
            weights, bias = np.hstack([-weights / 2, weights / 2]), np.hstack([-bias / 2, bias / 2])
        return cls(weights.astype(np.float32), bias.astype(np.float32))


@dataclass(frozen=True)
class Head:
    """A trained head.

    Attributes:
        windows: largest number of windows of a track that are served.
        scale: scale of the logits of the tags.
        discriminants: classifier of the mean of the standardised logits.
        networks: networks that ``segue.trainer.networks.segue_fast.build_decider`` built, for standardised logits
            [clips, w, 50] and a mask [clips, w].
        regression: classifier of the mean of the tags.
        novelty: measures how unlike all genres the mean of the tags is.
    """

    windows: int
    scale: TagScale
    discriminants: Linear
    networks: tuple[keras.Model, ...]
    regression: Linear
    novelty: Novelty


def logits_of(tags: Floats) -> Floats:
    """Computes the logits of tags in [0, 1]; they are in [-6.9, 6.9]."""
    clipped = np.clip(tags, MIN_TAG, 1 - MIN_TAG)
    logits: Floats = np.log(clipped / (1 - clipped)).astype(np.float32)
    return logits


def train_head(tracks: Sequence[TaggedTrack], labels: tuple[str, ...], plan: HeadPlan) -> Head:
    """Trains a head on tracks of two or more genres.

    Args:
        tracks: training tracks, two or more of every genre.
        labels: the genres, in the order of the posterior.
        plan: settings of the head.
    """
    genres = np.array([labels.index(track.genre) for track in tracks])
    served = [track.spread(plan.windows).tags for track in tracks]
    logits = np.stack([logits_of(tags).mean(0) for tags in served])
    scale = TagScale(logits.mean(0), np.maximum(logits.std(0), 1e-3))
    pool = _WindowPool.of([scale(track.tags) for track in tracks])
    seeds = range(plan.seed * plan.networks, (plan.seed + 1) * plan.networks)
    means = np.stack([tags.mean(0) for tags in served])
    return Head(
        plan.windows,
        scale,
        discriminants=_fit_discriminants((logits - scale.mean) / scale.spread, genres, plan),
        networks=tuple(_train_network(pool, genres, len(labels), plan, seed) for seed in seeds),
        regression=_fit_regression(means, genres, plan),
        novelty=Novelty.fit(means, genres),
    )


def _fit_discriminants(means: Floats, genres: Genres, plan: HeadPlan) -> Linear:
    count = int(genres.max()) + 1
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=plan.shrinkage, priors=np.full(count, 1 / count))
    model.fit(means, genres)
    return Linear.of(model.coef_ / plan.sharpness, model.intercept_ / plan.sharpness)


def _fit_regression(means: Floats, genres: Genres, plan: HeadPlan) -> Linear:
    model = LogisticRegression(C=plan.inverse_penalty, class_weight="balanced", max_iter=5_000).fit(means, genres)
    return Linear.of(model.coef_, model.intercept_)


@dataclass(frozen=True)
class _WindowPool:
    """All windows of all tracks [tracks, most windows of a track, 50], and the number of each track's [tracks]."""

    windows: Floats
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, tracks: Sequence[Floats]) -> _WindowPool:
        counts = np.array([len(track) for track in tracks])
        windows = np.zeros((len(tracks), counts.max(), TAGS), np.float32)
        for row, track in enumerate(tracks):
            windows[row, : len(track)] = track
        return cls(windows, counts)

    def draw(self, count: int, random: np.random.Generator) -> Floats:
        """Divides each track into ``count`` equal parts, and draws one window from each, [tracks, count, 50]."""
        shares = (np.arange(count) + random.random((len(self.counts), count))) / count
        places = np.minimum((shares * self.counts[:, None]).astype(int), self.counts[:, None] - 1)
        drawn: Floats = self.windows[np.arange(len(self.counts))[:, None], places]
        return drawn


def _train_network(pool: _WindowPool, genres: Genres, count: int, plan: HeadPlan, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    shape = Shape(bands=0, columns=0, genres=count, width=TAGS, memory=plan.memory, dropout=0.0)
    network = build_decider(shape, plan.windows)
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.steps)
    step = _training_step(network, keras.optimizers.Adam(schedule), plan)
    # A genre with fewer tracks gets the same total weight as any other.
    shares = np.bincount(genres, minlength=count)
    targets = np.eye(count, dtype=np.float32)[genres] * (len(genres) / count / shares[genres])[:, None]
    for _ in range(plan.steps):
        step(*_mix(pool.draw(plan.windows, random), targets.astype(np.float32), plan.mixup, random))
    return network


def _mix(windows: Floats, targets: Floats, alpha: float, random: np.random.Generator) -> Iterable[tf.Tensor]:
    """Mixes each track with a smaller share of another one."""
    share = random.beta(alpha, alpha, (len(windows), 1)).astype(np.float32)
    share, other = np.maximum(share, 1 - share), random.permutation(len(windows))
    mixed = share[..., None] * windows + (1 - share)[..., None] * windows[other]
    return tf.constant(mixed), tf.constant(share * targets + (1 - share) * targets[other])


def _training_step(
    network: keras.Model, optimizer: keras.Optimizer, plan: HeadPlan
) -> tf.types.experimental.GenericFunction:
    decays = list(_decays(network, plan))

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def step(windows: tf.Tensor, targets: tf.Tensor) -> None:
        mask = tf.ones(tf.shape(windows)[:2], tf.bool)
        with tf.GradientTape() as tape:
            logits, _ = network([windows, mask], training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
            loss += sum(decay * tf.reduce_sum(tf.square(weight)) for decay, weight in decays)
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return step


def _decays(network: keras.Model, plan: HeadPlan) -> Iterable[tuple[float, keras.Variable]]:
    """Yields the kernels of a network, each with its decay."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.LSTM):
            yield plan.memory_decay, layer.cell.kernel
            yield plan.memory_decay, layer.cell.recurrent_kernel
        elif isinstance(layer, keras.layers.Dense):
            # The linear path has the tags as input, the correction the state of the LSTM.
            yield plan.linear_decay if layer.kernel.shape[0] == TAGS else plan.memory_decay, layer.kernel
