"""The two engines of an artifact: which one runs it, and that both compute the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from click.testing import CliRunner

from segue.core.errors import ArtifactError, EnvironmentUnusable
from segue.core.features.extract import extract
from segue.core.model import load_model as loading
from segue.core.model.artifact import read_manifest, write_manifest
from segue.core.model.engine import EngineChoice
from segue.core.model.load_model import load_model
from segue.core.paths import resolve_model
from segue.trainer.cli.main import main
from segue.trainer.errors import TwinFailed
from segue.trainer.export.artifact import write_artifact
from segue.trainer.export.onnx_twin import add_twin, check_twin
from segue.trainer.export.signatures import ServingGraph
from tests.helpers.machine.commands import output_of

# Loads an artifact, predicts a clip, and prints the engine and whether TensorFlow was imported.
PREDICT = """
import sys
from pathlib import Path
from segue.core.model.load_model import load_model
model = load_model(Path(sys.argv[1]))
model.warm_up()
print(model.engine, "tensorflow" in sys.modules)
"""


@pytest.fixture
def without_twin(tiny_model: Path, tmp_path: Path) -> Path:
    """An artifact as earlier versions wrote it."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    shutil.rmtree(folder / "onnx")
    write_manifest(folder, read_manifest(tiny_model))
    return folder


def remove(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Makes a package look as if it were not installed."""

    def find(name: str) -> ModuleSpec | None:
        return None if name == package else find_spec(name)

    monkeypatch.setattr(loading, "find_spec", find)


@pytest.mark.parametrize("name", ["segue-accurate", "segue-fast"])
def test_both_engines_compute_the_same(name: str, clips: list[Path]) -> None:
    """Posteriors, embeddings and tags of clips with one to all windows are equal within 1e-5."""
    onnx, tensorflow = (load_model(resolve_model(name), engine) for engine in ("onnx", "tensorflow"))
    config, count = onnx.manifest.features, onnx.manifest.windows
    windows = [extract(clip, config, 1 + number % count).windows for number, clip in enumerate(clips)]
    for actual, expected in zip(onnx.predict(windows), tensorflow.predict(windows), strict=True):
        np.testing.assert_allclose(actual.posterior, expected.posterior, atol=1e-5)
        np.testing.assert_allclose(actual.embedding, expected.embedding, atol=1e-5)
        np.testing.assert_allclose(actual.window_posterior, expected.window_posterior, atol=1e-5)
        np.testing.assert_allclose(actual.tag_scores, expected.tag_scores, atol=1e-5)
        np.testing.assert_allclose(actual.novelty or 0, expected.novelty or 0, rtol=1e-4, atol=1e-4)


def test_onnx_runtime_runs_a_twin_without_tensorflow(tiny_model: Path) -> None:
    """By itself a program does not even import TensorFlow, which takes seconds and half a gigabyte."""
    assert ["onnx", "False"] == output_of(sys.executable, "-c", PREDICT, str(tiny_model)).split()


def test_loading_a_twin_prints_nothing(tiny_model: Path) -> None:
    """ONNX Runtime's warnings would be in the middle of tables and of JSON logs."""
    command = [sys.executable, "-c", PREDICT, str(tiny_model)]
    assert "" == subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_loading_a_twin_reports_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """ONNX Runtime's telemetry, which keeps a file in the temporary folder, is off."""
    environment = os.environ | {"TMPDIR": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    subprocess.run([sys.executable, "-c", PREDICT, str(tiny_model)], env=environment, capture_output=True, check=True)
    assert [] == list(tmp_path.iterdir())


def test_an_artifact_without_a_twin(without_twin: Path) -> None:
    """TensorFlow runs it."""
    assert "tensorflow" == load_model(without_twin).engine


def test_an_artifact_without_a_twin_and_without_tensorflow(without_twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that adds a twin."""
    remove(monkeypatch, "tensorflow")
    with pytest.raises(ArtifactError, match=f"segue-trainer export {without_twin}"):
        load_model(without_twin)


def test_a_machine_without_onnx_runtime(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow runs the artifact."""
    remove(monkeypatch, "onnxruntime")
    assert "tensorflow" == load_model(tiny_model).engine


@pytest.mark.parametrize(
    ("engine", "package", "extra"), [("onnx", "onnxruntime", "server"), ("tensorflow", "tensorflow", "tensorflow")]
)
def test_an_engine_that_is_not_installed(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, engine: EngineChoice, package: str, extra: str
) -> None:
    """The error has the command that installs it."""
    remove(monkeypatch, package)
    with pytest.raises(EnvironmentUnusable, match=rf"pip install 'segue\[{extra}\]'"):
        load_model(tiny_model, engine)


def test_onnx_is_named_and_there_is_no_twin(without_twin: Path) -> None:
    """The error has the command that adds one."""
    with pytest.raises(ArtifactError, match=f"segue-trainer export {without_twin}"):
        load_model(without_twin, "onnx")


def test_a_twin_is_added(without_twin: Path) -> None:
    """The model keeps its id, also where the twin is added a second time, and hidden files stay."""
    before = read_manifest(without_twin)
    (without_twin / ".note").write_text("mine")
    for _ in range(2):
        written = add_twin(without_twin)
        assert before.model_id == written.model_id
        assert "onnx" == load_model(without_twin).engine
    assert "mine" == (without_twin / ".note").read_text()
    assert ["model"] == [path.name for path in without_twin.parent.iterdir()]


def test_the_command_that_adds_a_twin(without_twin: Path) -> None:
    """It says what the model can do now."""
    printed = CliRunner().invoke(main, ["export", str(without_twin)], catch_exceptions=False)
    assert f"{read_manifest(without_twin).model_id} in {without_twin} runs by ONNX Runtime now" in printed.stderr


def test_half_a_twin(tiny_model: Path, tmp_path: Path) -> None:
    """TensorFlow runs an artifact whose twin lacks a part."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "onnx" / "decide.onnx").unlink()
    write_manifest(folder, read_manifest(tiny_model))
    assert "tensorflow" == load_model(folder).engine


def test_a_twin_that_computes_something_else(tiny_model: Path, tmp_path: Path) -> None:
    """A conversion that went wrong is noticed."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    path = folder / "onnx" / "decide.onnx"
    twin = onnx.load(path)
    (weights,) = (one for one in twin.graph.initializer if list(one.dims) == [128, 10])
    weights.CopyFrom(onnx.numpy_helper.from_array(np.zeros((128, 10), np.float32), weights.name))
    onnx.save(twin, path)
    with pytest.raises(ValueError, match=r"posterior differs by .* from that of TensorFlow"):
        check_twin(folder, read_manifest(tiny_model))


def test_a_network_that_cannot_be_converted(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trainer still writes it, with a warning, and TensorFlow runs it."""
    manifest = read_manifest(tiny_model)

    class Odd(ServingGraph):
        def _encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
            square = tf.eye(128) + 0 * windows[:, :, :1]
            return {"features": tf.linalg.matvec(tf.linalg.inv(square), tf.reduce_mean(windows, 2))}

        def _decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
            return {
                "posterior": tf.nn.softmax(features[:, 0, :10]),
                "embedding": tf.math.l2_normalize(features[:, 0], 1),
                "window_posterior": tf.nn.softmax(features[..., :10]),
            }

    cells = manifest.features.n_mels, manifest.features.columns
    write_artifact(tmp_path / "odd", Odd(cells, 10, 128, 128), manifest, lambda _: ({}, "card"))
    assert "Warning: odd cannot be converted for ONNX Runtime" in " ".join(capsys.readouterr().err.split())
    assert "tensorflow" == load_model(tmp_path / "odd").engine
    with pytest.raises(TwinFailed, match="odd cannot be converted"):
        add_twin(tmp_path / "odd")
    assert ["manifest.json", "model-card.md", "saved_model"] == sorted(
        path.name for path in (tmp_path / "odd").iterdir()
    )


def test_a_path_with_spaces_is_quoted(without_twin: Path) -> None:
    """The command of the message can be typed as it is."""
    folder = without_twin.rename(without_twin.parent / "my model")
    with pytest.raises(ArtifactError, match=f"segue-trainer export '{folder}'"):
        load_model(folder, "onnx")


def test_a_folder_that_is_no_artifact(tmp_path: Path) -> None:
    """Nothing is written there."""
    with pytest.raises(ArtifactError, match="There is no model in"):
        add_twin(tmp_path)
    assert [] == list(tmp_path.iterdir())
