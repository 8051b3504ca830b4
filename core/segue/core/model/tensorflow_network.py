"""Runs the SavedModel of an artifact by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.errors import ArtifactDamaged
from segue.core.model.artifact import SAVED_MODEL, Manifest
from segue.core.model.network import MAX_BATCH, Floats, Shape, Shapes
from segue.core.model.tensorflow_import import import_tensorflow
from segue.core.model.tensorflow_stderr import silenced_tensorflow

SIGNATURES = ("encode", "decide", "serving_default")
# Every batch is padded to one of these sizes, so that TensorFlow gets only shapes that it was warmed up with.
_BATCH_SIZES = (1, 2, 4, 8, MAX_BATCH)


class TensorFlowNetwork:
    """The signatures of a SavedModel."""

    engine = "tensorflow"
    # More clips at once are not faster, and the feature maps of segue-accurate would need a gigabyte for 16 clips.
    encoded_clips = 4
    warm_up_sizes = _BATCH_SIZES

    def __init__(self, saved: Any, windows: int) -> None:  # noqa: ANN401 - TensorFlow ships no types
        self._saved = saved  # its signatures hold only weak references to it
        self._encode: Callable[..., Any] = saved.signatures["encode"]
        self._decide: Callable[..., Any] = saved.signatures["decide"]
        self._windows = windows

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> TensorFlowNetwork:
        """Loads the SavedModel of an artifact.

        Raises:
            ArtifactDamaged: TensorFlow cannot load it, or a signature is missing.
        """
        with silenced_tensorflow():
            saved = _load(folder / SAVED_MODEL)
        missing = [name for name in SIGNATURES if name not in saved.signatures]
        if missing:
            raise ArtifactDamaged(
                f"{folder / SAVED_MODEL} has no signature {', '.join(missing)}. Export it with segue-trainer."
            )
        return cls(saved, manifest.windows)

    @property
    def shapes(self) -> Shapes:
        """The shapes of inputs and outputs of both signatures."""
        return {"encode": _shapes(self._encode), "decide": _shapes(self._decide)}

    def encode(self, windows: Floats) -> Floats:
        """Computes the features [n, d] of windows [n, bands, columns], those of at most 16 clips."""
        rows = _padded_size(-(-len(windows) // self._windows)) * self._windows
        features: Floats = self._encode(windows=_pad(windows, rows))["features"].numpy()
        return features[: len(windows)]

    def decide(self, features: Floats, mask: NDArray[np.bool_]) -> Mapping[str, Floats]:
        """Computes the outputs of at most 16 clips, by name, from features [clips, w, d] and their mask [clips, w]."""
        rows = _padded_size(len(features))
        padded_mask = _pad(mask, rows)
        # Rows of padding have one empty window, because a row without windows has no mean.
        padded_mask[len(mask) :, 0] = True
        outputs = self._decide(features=_pad(features, rows), mask=padded_mask)
        return {name: value.numpy()[: len(features)] for name, value in outputs.items()}


def _padded_size(count: int) -> int:
    return next(size for size in _BATCH_SIZES if size >= count)


def _pad(rows: NDArray[Any], count: int) -> NDArray[Any]:
    padded = np.zeros((count, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    return padded


def _shapes(function: Any) -> dict[str, Shape]:  # noqa: ANN401 - TensorFlow ships no types
    specs = function.structured_input_signature[1] | function.structured_outputs
    return {name: tuple(spec.shape.as_list()) for name, spec in specs.items()}


def _load(saved_model: Path) -> Any:  # noqa: ANN401 - TensorFlow ships no types
    tf = import_tensorflow()
    try:
        return tf.saved_model.load(str(saved_model))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ArtifactDamaged(
            f"TensorFlow cannot load {saved_model}: {error}. Take a fresh copy of the artifact."
        ) from error
