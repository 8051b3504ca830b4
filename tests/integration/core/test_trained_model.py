from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.errors import ArtifactDamaged
from segue.core.features.extract import extract
from segue.core.model.artifact import read_manifest, write_manifest
from segue.core.model.engine import EngineChoice
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model, Prediction
from segue.core.paths import shipped_models
from tests.helpers.machine.commands import output_of

# Loads an artifact, prints the variable of TensorFlow's choice and the imported module of Keras, and imports it.
LOAD = """
import os, sys
from pathlib import Path
from segue.core.model.load_model import load_model
load_model(Path(sys.argv[1]), "tensorflow")
print(os.environ.get("TF_USE_LEGACY_KERAS"), "keras" in sys.modules)
import keras
import tensorflow as tf
print(keras.version().split(".")[0], tf.keras.Model is keras.Model)
"""


@pytest.fixture(scope="module", params=["onnx", "tensorflow"])
def model(tiny_model: Path, request: pytest.FixtureRequest) -> Model:
    """A loaded network, by each engine."""
    return load_model(tiny_model, request.param)


def test_a_prediction(model: Model, clips: list[Path]) -> None:
    """The posterior sums to 1, the embedding has length 1, and every window has a posterior of its own."""
    clip = extract(clips[0], model.manifest.features, model.manifest.windows)
    (prediction,) = model.predict([clip.windows])
    assert pytest.approx(1, abs=1e-5) == prediction.posterior.sum()
    assert pytest.approx(1, abs=1e-5) == np.linalg.norm(prediction.embedding)
    assert (len(clip.windows.values), 10) == prediction.window_posterior.shape
    assert (0,) == prediction.tag_scores.shape


def test_tags(tagging_model: Path, clips: list[Path]) -> None:
    """The tags of a clip are the means of its windows' first features, whatever the other clips of its batch are."""
    model = load_model(tagging_model)
    windows = [extract(clip, model.manifest.features, 10 - number).windows for number, clip in enumerate(clips[:3])]
    for clip, prediction in zip(windows, model.predict(windows), strict=True):
        expected = model.encode(clip.values).mean(0)[: len(model.manifest.tags)]
        np.testing.assert_allclose(prediction.tag_scores, expected, atol=1e-5)


def test_a_prediction_does_not_depend_on_its_batch(model: Model, clips: list[Path]) -> None:
    """The prediction for a clip is the same alone and among nineteen others, which is more than one batch."""
    windows = [extract(clip, model.manifest.features, 10 - number % 7).windows for number, clip in enumerate(clips)]
    together = model.predict(windows)
    for clip_windows, prediction in zip(windows, together, strict=True):
        (alone,) = model.predict([clip_windows])
        assert_equal(alone, prediction)


def assert_equal(expected: Prediction, actual: Prediction) -> None:
    """Asserts that two predictions are equal up to rounding."""
    np.testing.assert_allclose(actual.posterior, expected.posterior, atol=1e-5)
    np.testing.assert_allclose(actual.embedding, expected.embedding, atol=1e-5)
    np.testing.assert_allclose(actual.window_posterior, expected.window_posterior, atol=1e-5)


@pytest.mark.parametrize(("choice", "kept"), [({}, "None"), ({"TF_USE_LEGACY_KERAS": "0"}, "0")], ids=["unset", "set"])
def test_a_network_is_loaded_without_keras(tiny_model: Path, choice: dict[str, str], kept: str) -> None:
    """Keras would take as long to import as all the rest; the trainer still can."""
    printed = output_of(sys.executable, "-c", LOAD, str(tiny_model), environment=choice)
    assert [kept, "False", "3", "True"] == printed.split()


def test_no_clips(model: Model) -> None:
    """No clips give no predictions."""
    assert [] == model.predict([])


@pytest.mark.parametrize(
    ("engine", "file", "message"),
    [
        ("tensorflow", "saved_model/saved_model.pb", "TensorFlow cannot load"),
        ("onnx", "onnx/encode.onnx", "ONNX Runtime cannot load .*encode.onnx"),
        ("onnx", "onnx/decide.onnx", "ONNX Runtime cannot load .*decide.onnx"),
    ],
)
def test_a_network_that_cannot_be_loaded(
    tiny_model: Path, tmp_path: Path, engine: EngineChoice, file: str, message: str
) -> None:
    """An artifact with correct digests whose network its engine cannot load is refused."""
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    manifest = read_manifest(broken)
    (broken / file).write_bytes(b"nonsense")
    write_manifest(broken, manifest)
    with pytest.raises(ArtifactDamaged, match=message):
        load_model(broken, engine)


@pytest.mark.parametrize("engine", ["onnx", "tensorflow"])
@pytest.mark.parametrize(
    ("name", "value"), [("labels", ("blues", "jazz")), ("embedding_width", 64), ("feature_width", 64), ("windows", 5)]
)
def test_a_graph_with_other_shapes(
    tiny_model: Path, tmp_path: Path, name: str, value: object, engine: EngineChoice
) -> None:
    """An artifact with correct digests whose graph has other widths or labels is refused before it is run."""
    other = shutil.copytree(tiny_model, tmp_path / "other")
    write_manifest(other, replace(read_manifest(other), **{name: value}))  # type: ignore[arg-type]  # one of four types
    with pytest.raises(ArtifactDamaged, match="does not match its manifest"):
        load_model(other, engine)


def test_novelty(tiny_model: Path, tmp_path: Path, clips: list[Path]) -> None:
    """A network that measures novelty predicts it for each clip; others predict none."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    write_manifest(folder, replace(read_manifest(folder), novelty_limit=0.5))
    for path, expected in ((tiny_model, False), (folder, True)):
        model = load_model(path)
        windows = [extract(clip, model.manifest.features, 10).windows for clip in clips[:2]]
        novelty = [prediction.novelty for prediction in model.predict(windows)]
        assert [expected] * 2 == [value is not None for value in novelty]
    assert novelty[0] != novelty[1]


def test_a_network_that_measures_no_novelty(tmp_path: Path) -> None:
    """A manifest with a limit needs a network that measures novelty."""
    folder = shutil.copytree(shipped_models() / "segue-fast", tmp_path / "model")
    write_manifest(folder, replace(read_manifest(folder), novelty_limit=0.5))
    with pytest.raises(ArtifactDamaged, match="novelty of decide is missing"):
        load_model(folder)
