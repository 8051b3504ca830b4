from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from segue.core.features.config import FeatureConfig
from segue.core.features.windows import Windows
from segue.core.model.artifact import read_manifest
from segue.core.model.saved_model import Model
from segue.trainer.cli.main import NETWORKS, main
from segue.trainer.data.dataset import Dataset
from segue.trainer.export.signatures import PaperServingGraph
from segue.trainer.networks.paper import CNN, CNN_LSTM, build_paper_encoder
from segue.trainer.networks.segue_fast import Shape
from segue.trainer.networks.trained import TrainedPaper
from segue.trainer.reporting.run_record import read_record
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import PaperPlan
from segue.trainer.training.recipes import RECIPES
from segue.trainer.training.train_paper import WindowBatches, train_paper

SHAPE = Shape(bands=128, columns=39, genres=4)


def widths(model: keras.Model, kind: type[layers.Layer], name: str) -> list[int]:
    """A setting of all layers of a kind, in order."""
    return [getattr(layer, name) for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("name", "dense", "memory"), [(CNN, [256, 64], []), (CNN_LSTM, [1024, 256, 64, 32], [128] * 2)]
)
def test_the_networks_are_the_paper_s(name: str, dense: list[int], memory: list[int]) -> None:
    """Four convolutions with batch normalisation and pooling; the other has two LSTM layers and four dense ones."""
    encoder = build_paper_encoder(name, SHAPE, -60)
    assert [32, 64, 128, 128] == widths(encoder, layers.Conv2D, "filters")
    assert 4 == len(widths(encoder, layers.BatchNormalization, "axis"))
    assert 4 == len(widths(encoder, layers.MaxPooling2D, "pool_size"))
    assert memory == widths(encoder, layers.LSTM, "units")
    assert dense == widths(encoder, layers.Dense, "units")
    assert {0.5} == set(widths(encoder, layers.Dropout, "rate"))


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
    """Its posterior, before the temperature, is the mean of the present windows', whatever stands behind."""
    windows = -60 * np.random.default_rng(0).random((1, 10, 128, 39), np.float32)
    windows[:, 3:] = padding
    mask = (np.arange(10) < 3)[None]
    answer = {name: value.numpy() for name, value in network.both(windows, mask).items()}
    plain = answer["window_posterior"][0, :3] ** 1.5
    mean = (plain / plain.sum(1, keepdims=True)).mean(0) ** (1 / 1.5)
    np.testing.assert_allclose(mean / mean.sum(), answer["posterior"][0], atol=1e-5)
    assert pytest.approx(1, abs=1e-5) == np.linalg.norm(answer["embedding"][0])
    assert not answer["window_posterior"][0, 3:].any()


def test_an_epoch_meets_every_window_once() -> None:
    """In an order that follows from seed and epoch, moved by no more than one code."""
    windows = np.arange(70, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32) - 80
    targets = np.eye(70, dtype=np.float32)
    plan = PaperPlan(epochs=1, batch=35, seed=3)
    one, same = WindowBatches(windows, targets, plan, -80), WindowBatches(windows, targets, plan, -80)
    met = np.concatenate([one[0][1].argmax(1), one[1][1].argmax(1)])
    assert list(range(70)) == sorted(met.tolist())
    assert np.array_equal(one[0][0], same[0][0])
    assert np.abs(one[0][0] - windows[met[:35]]).max() <= 80 / 256
    same.on_epoch_end()
    assert not np.array_equal(one[0][1], same[0][1])


def test_a_run_ends_after_ten_epochs_without_a_better_one(noisy_dataset: Dataset) -> None:
    """The epochs that were run are fewer than the most, and the best of them is kept."""
    plan = PaperPlan(epochs=30, batch=60, patience=2, learning_rate=0.3)
    trained = train_paper(CNN_LSTM, noisy_dataset, noisy_dataset, ("high", "low"), FeatureConfig(), plan, RunControl())
    run = len(trained.history["loss"])
    assert run == trained.best_epoch + 2
    assert trained.best_epoch == 1 + int(np.argmin(trained.history["val_log_loss"]))


def test_the_command_knows_every_network() -> None:
    """What --network offers is what can be trained."""
    assert NETWORKS == tuple(RECIPES)


def test_a_paper_network_is_served_like_any_other(write_archive: Callable[..., Path], tmp_path: Path) -> None:
    """One command makes an artifact that the server's loader takes, and the card names the embedding's layer."""
    archive = write_archive()
    options = ["--input", str(archive), "--network", CNN, "--epochs", "1", "--output", str(tmp_path / "cnn")]
    result = CliRunner().invoke(main, ["train", *options], catch_exceptions=False)
    assert 0 == result.exit_code, result.stderr
    manifest = read_manifest(tmp_path / "cnn")
    assert manifest.model_id.startswith("paper-cnn-")
    windows = Windows(np.zeros((3, 128, 39), np.float32), np.zeros(3))
    (heard,) = Model.load(tmp_path / "cnn").predict([windows])
    assert (64,) == heard.embedding.shape
    record = read_record(tmp_path / "cnn")
    assert record
    assert (CNN, 1, 0) == (record.network, record.epochs, record.plan["seed"])
    assert {"loss", "accuracy", "log_loss", "val_log_loss"} <= set(record.history)
    assert "last hidden layer" in (tmp_path / "cnn" / "model-card.md").read_text()
