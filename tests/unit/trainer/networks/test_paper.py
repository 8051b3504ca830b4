from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from segue.trainer.export.signatures import PaperServingGraph
from segue.trainer.networks.paper import CNN, CNN_LSTM, build_paper_encoder
from segue.trainer.networks.segue_fast import Shape
from segue.trainer.networks.trained import TrainedPaper

SHAPE = Shape(bands=128, columns=39, genres=4)


def settings(model: keras.Model, kind: type[layers.Layer], name: str) -> list[int]:
    """A setting of all layers of a kind, in order."""
    return [getattr(layer, name) for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("name", "dense", "memory"), [(CNN, [256, 64], []), (CNN_LSTM, [1024, 256, 64, 32], [128] * 2)]
)
def test_the_networks_are_the_paper_s(name: str, dense: list[int], memory: list[int]) -> None:
    """Both have four convolutions with batch normalisation and pooling; one also has two LSTM layers."""
    encoder = build_paper_encoder(name, SHAPE, -60)
    assert [32, 64, 128, 128] == settings(encoder, layers.Conv2D, "filters")
    assert 4 == len(settings(encoder, layers.BatchNormalization, "axis"))
    assert 4 == len(settings(encoder, layers.MaxPooling2D, "pool_size"))
    assert memory == settings(encoder, layers.LSTM, "units")
    assert dense == settings(encoder, layers.Dense, "units")
    assert {0.5} == set(settings(encoder, layers.Dropout, "rate"))


@pytest.fixture(scope="module")
def network() -> PaperServingGraph:
    """An untrained network."""
    keras.utils.set_random_seed(1)
    encoder = build_paper_encoder(CNN, SHAPE, -60)
    hidden = keras.Input((64,))
    head = keras.Model(hidden, layers.Dense(4)(hidden))
    shape = Shape(128, 39, 4, width=64)
    return PaperServingGraph(TrainedPaper(encoder, head, shape, {}, 1), np.full(64, 0.1, np.float32), temperature=1.5)


@pytest.mark.parametrize("padding", [0.0, np.nan])
def test_a_clip_is_the_mean_of_its_windows(network: PaperServingGraph, padding: float) -> None:
    """Before the temperature its posterior is the mean of the present windows', whatever the absent ones hold."""
    windows = -60 * np.random.default_rng(0).random((1, 10, 128, 39), np.float32)
    windows[:, 3:] = padding
    mask = (np.arange(10) < 3)[None]
    outputs = {name: value.numpy() for name, value in network.both(windows, mask).items()}
    plain = outputs["window_posterior"][0, :3] ** 1.5
    mean = (plain / plain.sum(1, keepdims=True)).mean(0) ** (1 / 1.5)
    np.testing.assert_allclose(mean / mean.sum(), outputs["posterior"][0], atol=1e-5)
    assert pytest.approx(1, abs=1e-5) == np.linalg.norm(outputs["embedding"][0])
    assert not outputs["window_posterior"][0, 3:].any()
