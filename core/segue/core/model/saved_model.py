"""The network: windows of many pieces in, posteriors and embeddings out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.batching import batched
from segue.core.errors import ArtifactDamaged
from segue.core.features.windows import Windows
from segue.core.model.artifact import SAVED_MODEL, Manifest, read_manifest
from segue.core.model.tensorflow_stderr import silenced_tensorflow

SIGNATURES = ("encode", "decide", "serving_default")
# Every batch is filled up to one of these, so that TensorFlow meets only shapes that it has been warmed up with.
BATCH_SIZES = (1, 2, 4, 8, 16)
_MOST = BATCH_SIZES[-1]
# So many pieces' windows go through the CNN at once: more are no quicker, and the maps of segue-accurate's CNN for 16
# pieces would take a gigabyte.
_MOST_ENCODED = 4

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """What the network makes of one piece.

    Attributes:
        posterior: calibrated probabilities [genres], in the order of the manifest's labels; they sum to 1.
        embedding: a vector [e] of length 1; pieces that sound alike have a small angle between them.
        window_posterior: probabilities [w, genres] of each window.
    """

    posterior: Floats
    embedding: Floats
    window_posterior: Floats


class Model:
    """A loaded artifact. Its methods may be called from several threads at once."""

    def __init__(self, manifest: Manifest, saved: Any) -> None:  # noqa: ANN401 - TensorFlow ships no types
        self.manifest = manifest
        self._saved = saved  # its signatures hold only weak references to it
        self._encode: Callable[..., Any] = saved.signatures["encode"]
        self._decide: Callable[..., Any] = saved.signatures["decide"]

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Checks and loads an artifact.

        Raises:
            ArtifactError: it is missing, damaged, or does not fit its manifest.
        """
        manifest = read_manifest(folder)
        with silenced_tensorflow():
            saved = _load(folder / SAVED_MODEL)
        missing = [name for name in SIGNATURES if name not in saved.signatures]
        if missing:
            raise ArtifactDamaged(
                f"{folder / SAVED_MODEL} has no signature {', '.join(missing)}. Export it with segue-trainer."
            )
        _check_shapes(folder, manifest, saved)
        return cls(manifest, saved)

    def warm_up(self, max_batch: int = BATCH_SIZES[-1]) -> None:
        """Runs every batch size up to ``max_batch`` once, so that no caller pays for a first time."""
        config = self.manifest.features
        for size in BATCH_SIZES:
            # Whole pieces as far as the CNN takes them at once; above that one window each is enough for the rest.
            count = self.manifest.windows if size <= _MOST_ENCODED else 1
            windows = Windows(np.zeros((count, config.n_mels, config.columns), np.float32), np.zeros(count))
            if size <= max_batch:
                self.predict([windows] * size)

    def predict(self, pieces: Sequence[Windows]) -> list[Prediction]:
        """What the network makes of each piece; a piece's answer does not depend on its neighbours.

        Args:
            pieces: the windows of each piece, of this model's front end, at most ``manifest.windows`` each.
        """
        return [heard for batch in batched(pieces, _MOST) for heard in self._predict_batch(batch)]

    def encode(self, windows: Floats) -> Floats:
        """The features [n, d] of windows [n, bands, columns], 1 or more."""
        rows = _MOST_ENCODED * self.manifest.windows
        parts = (windows[start : start + rows] for start in range(0, len(windows), rows))
        return np.concatenate([self._encode_part(part) for part in parts])

    def _encode_part(self, windows: Floats) -> Floats:
        rows = next(size for size in BATCH_SIZES if size * self.manifest.windows >= len(windows))
        padded = np.zeros((rows * self.manifest.windows, *windows.shape[1:]), np.float32)
        padded[: len(windows)] = windows
        features: Floats = self._encode(windows=padded)["features"].numpy()[: len(windows)]
        return features

    def decide(self, features: Sequence[Floats]) -> list[Prediction]:
        """What the network makes of pieces whose windows are encoded.

        Args:
            features: of each piece [w, d], at most ``manifest.windows`` rows in the order of time.
        """
        return [heard for batch in batched(features, _MOST) for heard in self._decide_batch(batch)]

    def _predict_batch(self, pieces: Sequence[Windows]) -> list[Prediction]:
        features = self.encode(np.concatenate([piece.values for piece in pieces]))
        ends = np.cumsum([len(piece.values) for piece in pieces])
        return self._decide_batch(np.split(features, ends[:-1]))

    def _decide_batch(self, features: Sequence[Floats]) -> list[Prediction]:
        size = next(size for size in BATCH_SIZES if size >= len(features))
        padded = np.zeros((size, self.manifest.windows, self.manifest.feature_width), np.float32)
        mask = np.zeros((size, self.manifest.windows), bool)
        # A row without a window has no mean: the rows that fill the batch up hold one empty window each.
        mask[:, 0] = True
        for row, part in enumerate(features):
            padded[row, : len(part)] = part
            mask[row, : len(part)] = True
        decided = {name: value.numpy() for name, value in self._decide(features=padded, mask=mask).items()}
        return [
            Prediction(
                decided["posterior"][row], decided["embedding"][row], decided["window_posterior"][row, : len(part)]
            )
            for row, part in enumerate(features)
        ]


def _check_shapes(folder: Path, manifest: Manifest, saved: Any) -> None:  # noqa: ANN401 - TensorFlow ships no types
    """Refuses a graph that takes or gives other shapes than its manifest says; nothing is run."""
    config, windows, genres = manifest.features, manifest.windows, len(manifest.labels)
    promised: dict[str, dict[str, tuple[int | None, ...]]] = {
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
        },
    }
    for signature, shapes in promised.items():
        function = saved.signatures[signature]
        specs = function.structured_input_signature[1] | function.structured_outputs
        for name, shape in shapes.items():
            # A dimension that the graph leaves open is compatible with any.
            if name not in specs or not specs[name].shape.is_compatible_with(shape):
                actual = specs[name].shape if name in specs else "missing"
                raise ArtifactDamaged(
                    f"The network in {folder} does not fit its manifest: {name} of {signature} is {actual}, not "
                    f"{shape}. Take a fresh copy of the whole folder, or export it again with segue-trainer."
                )


def _load(saved_model: Path) -> Any:  # noqa: ANN401 - TensorFlow ships no types
    import tensorflow as tf  # noqa: PLC0415 - takes seconds, and a bad artifact is refused without it

    try:
        return tf.saved_model.load(str(saved_model))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ArtifactDamaged(
            f"TensorFlow cannot load {saved_model}: {error}. Take a fresh copy of the artifact."
        ) from error
