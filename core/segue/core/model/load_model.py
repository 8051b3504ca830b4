"""Loads an artifact, by the engine that is chosen for it."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path

from segue.core.errors import ArtifactDamaged, ArtifactError, EnvironmentUnusable
from segue.core.model.artifact import ONNX, Manifest, read_manifest
from segue.core.model.engine import EngineChoice
from segue.core.model.network import Network, Shape, Shapes
from segue.core.model.onnx_network import OnnxNetwork
from segue.core.model.tensorflow_network import TensorFlowNetwork
from segue.core.model.trained_model import Model


def load_model(folder: Path, engine: EngineChoice = "auto") -> Model:
    """Checks and loads an artifact.

    Args:
        folder: folder of the artifact.
        engine: the engine that runs its networks.

    Raises:
        EnvironmentUnusable: the engine is not installed.
        ArtifactError: the artifact is missing or damaged, its network does not match its manifest, or it has none
            for the engine.
    """
    manifest = read_manifest(folder)
    is_onnx = choose_engine(folder, manifest, engine) == "onnx"
    network: Network = OnnxNetwork.load(folder) if is_onnx else TensorFlowNetwork.load(folder, manifest)
    _check_shapes(folder, manifest, network.shapes)
    return Model(manifest, network)


def choose_engine(folder: Path, manifest: Manifest, engine: EngineChoice = "auto") -> EngineChoice:
    """Chooses the engine for an artifact, and loads nothing.

    Args:
        folder: folder of the artifact.
        manifest: its manifest, checked.
        engine: the engine, or "auto".

    Returns:
        "onnx" or "tensorflow".

    Raises:
        EnvironmentUnusable: the engine is not installed.
        ArtifactError: the artifact has no network for the engine.
    """
    chosen = _first_engine(folder, manifest) if engine == "auto" else engine
    if chosen == "onnx":
        _check_onnx(folder, manifest)
    else:
        _check_tensorflow()
    return chosen


def _first_engine(folder: Path, manifest: Manifest) -> EngineChoice:
    has_twin, has_tensorflow = _has_twin(manifest), find_spec("tensorflow") is not None
    if has_twin and (find_spec("onnxruntime") or not has_tensorflow):
        return "onnx"
    if not has_tensorflow:
        raise ArtifactError(
            f"{folder} has no ONNX twin, and TensorFlow, which needs none, is not installed. {_add_twin(folder)} Or "
            "install TensorFlow here: pip install 'segue[tensorflow]'"
        )
    return "tensorflow"


def _check_onnx(folder: Path, manifest: Manifest) -> None:
    if not find_spec("onnxruntime"):
        raise EnvironmentUnusable("ONNX Runtime is not installed here. Run: pip install 'segue[server]'")
    if not _has_twin(manifest):
        raise ArtifactError(
            f"{folder} has no ONNX twin, which the engine onnx needs. {_add_twin(folder)} Or choose the engine auto."
        )


def _check_tensorflow() -> None:
    if not find_spec("tensorflow"):
        raise EnvironmentUnusable("TensorFlow is not installed here. Run: pip install 'segue[tensorflow]'")


def _add_twin(folder: Path) -> str:
    command = f"segue-trainer export {shlex.quote(str(folder))}"
    return f"Add the twin where 'segue[trainer]' is installed: {command}."


def _has_twin(manifest: Manifest) -> bool:
    return all(f"{ONNX}/{name}.onnx" in manifest.files for name in ("encode", "decide"))


def _check_shapes(folder: Path, manifest: Manifest, actual: Shapes) -> None:
    """Checks that the networks of an artifact have the shapes of its manifest, without running them.

    Raises:
        ArtifactDamaged: an input or an output is missing, or has another shape.
    """
    for signature, expected in _expected_shapes(manifest).items():
        for name, shape in expected.items():
            found = actual[signature].get(name)
            if found is None or not _is_compatible(found, shape):
                description = "missing" if found is None else found
                raise ArtifactDamaged(
                    f"The network in {folder} does not match its manifest: {name} of {signature} is {description}, "
                    f"not {shape}. Take a fresh copy of the whole folder, or export it again with segue-trainer."
                )


def _expected_shapes(manifest: Manifest) -> Shapes:
    config, windows, genres = manifest.features, manifest.windows, len(manifest.labels)
    return {
        "encode": {
            "windows": (None, config.n_mels, config.columns),
            "features": (None, manifest.feature_width),
        },
        "decide": {
            "features": (None, windows, manifest.feature_width),
            "mask": (None, windows),
            "posterior": (None, genres),
            "embedding": (None, manifest.embedding_width),
            "window_posterior": (None, windows, genres),
            **({} if manifest.novelty_limit is None else {"novelty": (None,)}),
        },
    }


def _is_compatible(actual: Shape, expected: Shape) -> bool:
    """Returns True if no size of one shape excludes that of the other."""
    return len(actual) == len(expected) and all(
        a is None or e is None or a == e for a, e in zip(actual, expected, strict=True)
    )
