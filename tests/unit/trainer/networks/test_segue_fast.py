from __future__ import annotations

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from segue.trainer.export.signatures import FastServingGraph
from segue.trainer.networks.segue_fast import BandScale, Shape, build_decider, build_encoder, build_linear
from segue.trainer.networks.trained import TrainedFast
from segue.trainer.networks.window_statistics import build_statistics
from segue.trainer.training.plans import FastPlan
from segue.trainer.training.train_fast import fit_linear

SHAPE = Shape(bands=128, columns=39, genres=4)


def random_windows(*leading: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Windows of noise in [-60, 0]."""
    return -60 * np.random.default_rng(seed).random((*leading, 128, 39), np.float32)


@pytest.fixture(scope="module")
def network() -> FastServingGraph:
    """An untrained network in which every path has an effect."""
    keras.utils.set_random_seed(1)
    scale = BandScale.of(random_windows(20))
    decider = build_decider(SHAPE)
    # The correction of the LSTM starts at zero; the noise gives it an effect.
    noise = np.random.default_rng(3)
    decider.set_weights([weight + noise.normal(0, 0.2, weight.shape) for weight in decider.get_weights()])
    statistics = build_statistics(SHAPE, scale)
    width = statistics.output_shape[-1]
    weights = np.random.default_rng(2).standard_normal((width, 4), np.float32) / np.float32(2000)
    return FastServingGraph(
        TrainedFast(
            encoder=build_encoder(SHAPE, scale),
            decider=decider,
            statistics=statistics,
            linear=build_linear(weights, np.zeros(4, np.float32)),
            shape=SHAPE,
            scale=scale,
            history={},
            best_epoch=1,
        ),
        centre=np.full(SHAPE.width, 0.1, np.float32),
        temperature=1.5,
    )


def masked(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """The mask of a clip with the first ``count`` of ten windows."""
    return (np.arange(10) < count)[None]


@pytest.mark.parametrize("count", [1, 4, 9])
@pytest.mark.parametrize("padding", [0.0, -60.0, np.nan])
def test_absent_windows_change_nothing(network: FastServingGraph, count: int, padding: float) -> None:
    """The content of absent windows, even NaN, does not change a bit of the outputs."""
    windows = random_windows(1, 10)
    padded = windows.copy()
    padded[:, count:] = padding
    for name, expected in network.both(windows, masked(count)).items():
        actual = network.both(padded, masked(count))[name]
        assert np.array_equal(expected, actual), name


def test_every_present_window_has_an_effect(network: FastServingGraph) -> None:
    """One more window changes posterior and embedding."""
    windows = random_windows(1, 10)
    fewer, more = (network.both(windows, masked(count)) for count in (3, 4))
    assert not np.allclose(fewer["posterior"], more["posterior"], atol=1e-6)
    assert not np.allclose(fewer["embedding"], more["embedding"], atol=1e-6)


def test_the_order_of_windows_has_an_effect(network: FastServingGraph) -> None:
    """The LSTM runs over the windows of a clip in the order of time."""
    windows = random_windows(1, 10)
    forth, back = (network.both(w, masked(10))["posterior"] for w in (windows, windows[:, ::-1]))
    assert not np.allclose(forth, back, atol=1e-5)


def test_windows_of_a_batch_are_independent(network: FastServingGraph) -> None:
    """A window has the same features alone and in any batch."""
    windows = random_windows(7)
    together = network.encode(windows)["features"].numpy()
    alone = np.concatenate([network.encode(windows[i : i + 1])["features"].numpy() for i in range(7)])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-5)


def test_outputs_are_those_of_the_contract(network: FastServingGraph) -> None:
    """Posteriors sum to 1, embeddings have length 1, absent windows have no posterior, and both paths agree."""
    windows = random_windows(2, 10)
    mask = np.concatenate([masked(10), masked(2)])
    outputs = {name: value.numpy() for name, value in network.both(windows, mask).items()}
    features = network.encode(windows.reshape(-1, 128, 39))["features"].numpy().reshape(2, 10, -1)
    np.testing.assert_allclose(outputs["posterior"].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(outputs["embedding"], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(outputs["window_posterior"].sum(2), mask, atol=1e-5)
    for name, value in network.decide(features, mask).items():
        np.testing.assert_allclose(value, outputs[name], atol=1e-6)


@pytest.mark.parametrize("genres", [2, 3])
def test_the_linear_path_is_the_regression(genres: int) -> None:
    """The layer has the probabilities of scikit-learn's balanced regression, also for two genres."""
    random = np.random.default_rng(0)
    statistics = (3 + 5 * random.standard_normal((200, 6))).astype(np.float32)
    targets = random.choice(genres, 200, p=np.arange(1, genres + 1) / sum(range(genres + 1)))
    plan = FastPlan(regularisation=0.5, linear_weight=1.0)
    logits = fit_linear(statistics, np.eye(genres, dtype=np.float32)[targets], plan).predict(statistics, verbose=0)
    # For two genres scikit-learn has one row of weights for both, which is penalised once.
    regression = LogisticRegression(C=1.0 if genres == 2 else 0.5, max_iter=500, class_weight="balanced")
    expected = make_pipeline(StandardScaler(), regression).fit(statistics, targets)
    np.testing.assert_allclose(keras.ops.softmax(logits), expected.predict_proba(statistics), atol=1e-3)


def test_windows_may_have_mixed_targets() -> None:
    """A target of two thirds is predicted as two thirds, where nothing else distinguishes the windows."""
    targets = np.tile(np.array([[2 / 3, 1 / 3], [1 / 3, 2 / 3]], np.float32), (50, 1))
    logits = fit_linear(targets[:, :1], targets, FastPlan(regularisation=1e6, linear_weight=1.0)).predict(
        targets[:, :1], verbose=0
    )
    np.testing.assert_allclose(targets, keras.ops.softmax(logits), atol=1e-3)
