"""Writes the ONNX twin of a SavedModel, for ONNX Runtime, and checks that both compute the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from segue.core.model.artifact import ONNX, SAVED_MODEL, Manifest, read_manifest, write_manifest
from segue.core.model.onnx_network import OnnxNetwork
from segue.core.model.tensorflow_network import TensorFlowNetwork
from segue.core.model.tensorflow_stderr import silenced_tensorflow
from segue.trainer.errors import DataUnusable, TwinFailed
from segue.trainer.outputs import check_writable, replace_folder

_OPSET = 18
_TOLERANCE = 1e-5
# The windows of a check: decibels or logarithms, in a range that both have.
_CHECKED_CLIPS, _LOWEST, _HIGHEST = 3, -6.0, -1.0


def add_twin(folder: Path) -> Manifest:
    """Adds the ONNX twin to a finished artifact, which stays as it is until the new one is whole.

    Returns:
        The manifest as written.

    Raises:
        ArtifactError: the folder is no artifact, or is damaged.
        DataUnusable: the folder cannot be replaced.
        TwinFailed: the networks cannot be converted.
    """
    folder = folder.resolve()
    manifest = read_manifest(folder)
    if folder.is_mount():
        raise DataUnusable(f"{folder} is a mount point, and cannot be replaced. Copy the model into a folder below it.")
    check_writable(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            fresh = shutil.copytree(folder, Path(scratch) / folder.name, ignore=shutil.ignore_patterns(ONNX))
            write_twin(fresh, manifest)
            written = write_manifest(fresh, manifest)
            replace_folder(fresh, folder, Path(scratch) / "older")
    except OSError as error:
        raise DataUnusable(
            f"{folder} cannot be replaced: {error.strerror or error}. Run this as its owner, or copy it elsewhere."
        ) from error
    return written


def write_twin(folder: Path, manifest: Manifest) -> None:
    """Writes the ONNX twin of the SavedModel in an artifact's folder; on an error there is none.

    Raises:
        TwinFailed: the networks cannot be converted, or the twin computes something else.
    """
    try:
        saved = tf.saved_model.load(str(folder / SAVED_MODEL))
        (folder / ONNX).mkdir(exist_ok=True)
        for name in ("encode", "decide"):
            with silenced_tensorflow():
                twin = _convert(saved.signatures[name], name)
            (folder / ONNX / f"{name}.onnx").write_bytes(twin.SerializeToString(deterministic=True))
        check_twin(folder, manifest)
    except OSError:
        raise
    except Exception as error:  # the converter and its parts have no common class of errors
        shutil.rmtree(folder / ONNX, ignore_errors=True)
        raise TwinFailed(f"{folder.name} cannot be converted for ONNX Runtime: {error}. TensorFlow runs it.") from error


def check_twin(folder: Path, manifest: Manifest) -> None:
    """Checks that twin and SavedModel compute the same for random windows, within 1e-5.

    Raises:
        ValueError: they do not.
    """
    config, count = manifest.features, manifest.windows
    random = np.random.default_rng(0)
    # A spectrum for each window and little noise: windows of noise alone would be alike but for rounding.
    spectra = random.uniform(_LOWEST, _HIGHEST, (_CHECKED_CLIPS * count, config.n_mels, 1))
    windows = (spectra + random.random((1, 1, config.columns))).astype(np.float32)
    # A clip with all windows, one with half of them and one with one.
    mask = np.arange(count) < np.array([count, -(-count // 2), 1])[:, None]
    expected, actual = (
        _outputs(network, windows, mask)
        for network in (TensorFlowNetwork.load(folder, manifest), OnnxNetwork.load(folder))
    )
    for name, values in expected.items():
        # Novelties and features are no probabilities: they may be large.
        difference = np.max(np.abs(values - actual[name]) / np.maximum(np.abs(values), 1.0))
        if not difference <= _TOLERANCE * (10 if name == "novelty" else 1):
            raise ValueError(f"its {name} differs by {difference:.1g} from that of TensorFlow")


def _convert(signature: Any, name: str) -> onnx.ModelProto:  # noqa: ANN401 - TensorFlow ships no types
    """Converts a signature; inputs and outputs keep their names."""
    specs = sorted(signature.structured_input_signature[1].values(), key=lambda spec: spec.name)

    def call(*inputs: tf.Tensor) -> Any:  # noqa: ANN401 - TensorFlow ships no types
        return signature(**{spec.name: tensor for spec, tensor in zip(specs, inputs, strict=True)})

    function = tf.function(call, input_signature=specs)
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=_OPSET)
    _embed_constants(model, function.get_concrete_function())
    del model.metadata_props[:]
    model.graph.name = name
    return model


def _embed_constants(model: onnx.ModelProto, function: Any) -> None:  # noqa: ANN401 - TensorFlow ships no types
    """Makes the constants that a function captures part of its model, which has them as inputs."""
    values = {inner.name: outer for outer, inner in function.graph.captures if outer.dtype != tf.resource}
    inputs = list(model.graph.input)
    # The converter has computed with some already, and nothing reads those any longer.
    used = set(_names_read(model.graph))
    del model.graph.input[:]
    model.graph.input.extend(one for one in inputs if one.name not in values)
    model.graph.initializer.extend(
        numpy_helper.from_array(values[one.name].numpy(), one.name)
        for one in inputs
        if one.name in values and one.name in used
    )


def _names_read(graph: onnx.GraphProto) -> Iterator[str]:
    """Yields the names of the values that the nodes of a graph and of the graphs in it read, and its outputs."""
    yield from (output.name for output in graph.output)
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _names_read(attribute.g)


def _outputs(
    network: TensorFlowNetwork | OnnxNetwork, windows: NDArray[np.float32], mask: NDArray[np.bool_]
) -> Mapping[str, NDArray[np.float32]]:
    rows = len(windows) // len(mask)
    features = np.concatenate([network.encode(part) for part in np.split(windows, len(windows) // rows)])
    return network.decide(features.reshape(len(mask), rows, -1) * mask[..., None], mask)
