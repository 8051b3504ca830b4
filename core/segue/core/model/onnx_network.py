"""Runs the ONNX twin of an artifact by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.errors import ArtifactDamaged
from segue.core.model.artifact import ONNX
from segue.core.model.network import Floats, Shape, Shapes

# Its warnings are about the way in which a graph was converted.
_ERRORS = 3
_OUTPUT_OF_ENCODE = ["features"]


class OnnxNetwork:
    """Two sessions of ONNX Runtime."""

    engine = "onnx"
    # More clips at once are not faster, and need memory for their feature maps.
    encoded_clips = 1
    # It needs no padding either: a new size of a batch costs it nothing.
    warm_up_sizes = (1,)

    def __init__(self, encode: Any, decide: Any) -> None:  # noqa: ANN401 - ONNX Runtime ships no types
        self._encode, self._decide = encode, decide
        self._outputs = [output.name for output in decide.get_outputs()]

    @classmethod
    def load(cls, folder: Path) -> OnnxNetwork:
        """Loads the ONNX twin of an artifact.

        Raises:
            ArtifactDamaged: ONNX Runtime cannot load it.
        """
        return cls(_open_session(folder / ONNX / "encode.onnx"), _open_session(folder / ONNX / "decide.onnx"))

    @property
    def shapes(self) -> Shapes:
        """The shapes of inputs and outputs of both networks."""
        return {"encode": _shapes(self._encode), "decide": _shapes(self._decide)}

    def encode(self, windows: Floats) -> Floats:
        """Computes the features [n, d] of windows [n, bands, columns], at least one."""
        (features,) = self._encode.run(_OUTPUT_OF_ENCODE, {"windows": windows})
        return features  # type: ignore[no-any-return]  # ONNX Runtime ships no types

    def decide(self, features: Floats, mask: NDArray[np.bool_]) -> Mapping[str, Floats]:
        """Computes the outputs of clips, by name, from features [clips, w, d] and their mask [clips, w]."""
        outputs = self._decide.run(self._outputs, {"features": features, "mask": mask})
        return dict(zip(self._outputs, outputs, strict=True))


def _open_session(path: Path) -> Any:  # noqa: ANN401 - ONNX Runtime ships no types
    # Its wheels for Linux report to their maker otherwise, and keep a file in the temporary folder for that.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - only programs that run networks need it

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS
    # By itself it counts the machine's cores, rather than those that this process may use.
    options.intra_op_num_threads = _usable_cores()
    # Threads that spin while they wait take the cores from those that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common class but this one
        raise ArtifactDamaged(
            f"ONNX Runtime cannot load {path}: {error}. Take a fresh copy of the artifact."
        ) from error


def _usable_cores() -> int:
    # macOS has no affinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shapes(session: Any) -> dict[str, Shape]:  # noqa: ANN401 - ONNX Runtime ships no types
    tensors = [*session.get_inputs(), *session.get_outputs()]
    # A size that is left open has a name.
    return {one.name: tuple(size if type(size) is int else None for size in one.shape) for one in tensors}
