"""The head of ``segue-accurate``: from the tags of a clip's windows to its genre.

Two judges hear the same standardised logits of the tags, and the posterior is the normalised geometric mean of what
they hold for likely: linear discriminants with a shrunk covariance (Ledoit and Wolf 2004) of the mean over the windows,
and small networks in which a linear path runs beside an LSTM over the windows. Genres are taken to be equally frequent,
whatever the training tracks are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.accurate.tags import TaggedTrack
from segue.trainer.arrays import Floats
from segue.trainer.networks.segue_fast import Shape, build_decider

WINDOWS = 5
"""The most windows of a track that are heard in service."""

MIN_TRACKS = 2
"""How many tracks of a genre it takes to learn it: one has no spread."""

MIN_TAG = 1e-3
"""Tags below it, and above 1 less it, count as this: the network was never sure of more."""

Genres = NDArray[np.int64]


@dataclass(frozen=True)
class HeadPlan:
    """How a head is trained; docs/adr/0013 says how the numbers were chosen.

    Attributes:
        seed: the same seed gives the same head on the same machine.
        networks: how many are trained from other seeds, and averaged.
        memory: units of each LSTM.
        steps: of Adam; each hears every track once, by other windows.
        learning_rate: of Adam at the start; it falls to 0 along half a cosine (Loshchilov and Hutter 2017).
        mixup: alpha of the shares in which two tracks are mixed (Zhang et al. 2018).
        linear_decay: of the squared weights of the linear path.
        memory_decay: of the squared weights of the LSTM.
        shrinkage: of the covariance of the discriminants towards a multiple of the identity, in [0, 1].
        sharpness: what the discriminants' logits are divided by: they hold the tags for independent, and are too sure.
    """

    seed: int = 0
    networks: int = 3
    memory: int = 16
    steps: int = 300
    learning_rate: float = 0.01
    mixup: float = 0.4
    linear_decay: float = 0.014
    memory_decay: float = 0.003
    shrinkage: float = 0.2
    sharpness: float = 4.2


@dataclass(frozen=True)
class TagScale:
    """The mean and the spread [50] of the mean logits of tracks."""

    mean: Floats
    spread: Floats

    def __call__(self, tags: Floats) -> Floats:
        """Standardised logits [..., 50] of tags [..., 50]."""
        scaled: Floats = (logits_of(tags) - self.mean) / self.spread
        return scaled


@dataclass(frozen=True)
class Head:
    """A trained head.

    Attributes:
        scale: of its input.
        weights: of the discriminants, [50, genres].
        bias: of the discriminants, [genres].
        networks: each takes standardised logits [clips, w, 50] and a mask [clips, w], and answers as
            ``segue.trainer.networks.segue_fast.build_decider`` says.
    """

    scale: TagScale
    weights: Floats
    bias: Floats
    networks: tuple[keras.Model, ...]


def logits_of(tags: Floats) -> Floats:
    """The logits of tags in [0, 1], in [-6.9, 6.9]."""
    inside = np.clip(tags, MIN_TAG, 1 - MIN_TAG)
    logits: Floats = np.log(inside / (1 - inside)).astype(np.float32)
    return logits


def train_head(tracks: Sequence[TaggedTrack], labels: tuple[str, ...], plan: HeadPlan) -> Head:
    """Trains a head on tracks of two or more genres.

    Args:
        tracks: at least ``MIN_TRACKS`` of every genre.
        labels: the genres, in the order of the posterior.
        plan: how.
    """
    genres = np.array([labels.index(track.genre) for track in tracks])
    means = np.stack([logits_of(track.spread(WINDOWS)).mean(0) for track in tracks])
    scale = TagScale(means.mean(0), np.maximum(means.std(0), 1e-3))
    weights, bias = _discriminants((means - scale.mean) / scale.spread, genres, plan)
    heard = _Tracks.of([scale(track.tags) for track in tracks])
    seeds = range(plan.seed * plan.networks, (plan.seed + 1) * plan.networks)
    return Head(scale, weights, bias, tuple(_train_network(heard, genres, len(labels), plan, seed) for seed in seeds))


def _discriminants(means: Floats, genres: Genres, plan: HeadPlan) -> tuple[Floats, Floats]:
    count = int(genres.max()) + 1
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=plan.shrinkage, priors=np.full(count, 1 / count))
    model.fit(means, genres)
    weights, bias = model.coef_.T / plan.sharpness, model.intercept_ / plan.sharpness
    if count == 2:  # one row tells the second genre from the first
        weights, bias = np.hstack([-weights / 2, weights / 2]), np.hstack([-bias / 2, bias / 2])
    return weights.astype(np.float32), bias.astype(np.float32)


@dataclass(frozen=True)
class _Tracks:
    """All windows of all tracks: [tracks, most windows, 50], and how many each has [tracks]."""

    windows: Floats
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, tracks: Sequence[Floats]) -> _Tracks:
        counts = np.array([len(track) for track in tracks])
        windows = np.zeros((len(tracks), counts.max(), TAGS), np.float32)
        for row, track in enumerate(tracks):
            windows[row, : len(track)] = track
        return cls(windows, counts)

    def draw(self, random: np.random.Generator) -> Floats:
        """Of each track one window out of each fifth of it, [tracks, 5, 50]."""
        shares = (np.arange(WINDOWS) + random.random((len(self.counts), WINDOWS))) / WINDOWS
        chosen = np.minimum((shares * self.counts[:, None]).astype(int), self.counts[:, None] - 1)
        drawn: Floats = self.windows[np.arange(len(self.counts))[:, None], chosen]
        return drawn


def _train_network(heard: _Tracks, genres: Genres, count: int, plan: HeadPlan, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    shape = Shape(bands=0, columns=0, genres=count, width=TAGS, memory=plan.memory, dropout=0.0)
    network = build_decider(shape, WINDOWS)
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.steps)
    step = _step(network, keras.optimizers.Adam(schedule), plan)
    # A genre with fewer tracks counts as much as any other.
    shares = np.bincount(genres, minlength=count)
    targets = np.eye(count, dtype=np.float32)[genres] * (len(genres) / count / shares[genres])[:, None]
    for _ in range(plan.steps):
        step(*_mixed(heard.draw(random), targets.astype(np.float32), plan.mixup, random))
    return network


def _mixed(windows: Floats, targets: Floats, alpha: float, random: np.random.Generator) -> Iterable[tf.Tensor]:
    """Every track with a little of another one in it."""
    share = random.beta(alpha, alpha, (len(windows), 1)).astype(np.float32)
    share, other = np.maximum(share, 1 - share), random.permutation(len(windows))
    mixed = share[..., None] * windows + (1 - share)[..., None] * windows[other]
    return tf.constant(mixed), tf.constant(share * targets + (1 - share) * targets[other])


def _step(network: keras.Model, optimizer: keras.Optimizer, plan: HeadPlan) -> tf.types.experimental.GenericFunction:
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
    """The kernels of a network, each with its decay."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.LSTM):
            yield plan.memory_decay, layer.cell.kernel
            yield plan.memory_decay, layer.cell.recurrent_kernel
        elif isinstance(layer, keras.layers.Dense):
            # The linear path hears the tags themselves, the correction what the LSTM remembers of them.
            yield plan.linear_decay if layer.kernel.shape[0] == TAGS else plan.memory_decay, layer.kernel
