"""Loads a network, and predicts posteriors, embeddings and tags from windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.batching import batched
from segue.core.errors import ArtifactDamaged
from segue.core.features.windows import Windows
from segue.core.model.artifact import SAVED_MODEL, Manifest, read_manifest
from segue.core.model.tensorflow_import import import_tensorflow
from segue.core.model.tensorflow_stderr import silenced_tensorflow

SIGNATURES = ("encode", "decide", "serving_default")
# Every batch is padded to one of these sizes, so that TensorFlow gets only shapes that it was warmed up with.
BATCH_SIZES = (1, 2, 4, 8, 16)
_MAX_BATCH = BATCH_SIZES[-1]
# Clips whose windows go through the CNN at once. More are not faster, and the feature maps of segue-accurate would need
# a gigabyte for 16 clips.
_MAX_ENCODED_CLIPS = 4

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """The prediction of the network for one clip.

    Attributes:
        posterior: calibrated probabilities [genres] in the order of the manifest's labels; their sum is 1.
        embedding: vector [e] of length 1; the more alike two clips sound, the smaller is the angle between theirs.
        window_posterior: probabilities [w, genres] of each window.
        novelty: how unlike all genres of the model the clip sounds, or None for a network that does not measure it.
        tag_scores: mean [tags] of each tag's score over the windows, in [0, 1], in the order of the manifest's tags;
            empty for a network that does not tag. The scores are independent of each other and not calibrated.
    """

    posterior: Floats
    embedding: Floats
    window_posterior: Floats
    novelty: float | None = None
    tag_scores: Floats = field(default_factory=lambda: np.zeros(0, np.float32))


class Model:
    """A loaded artifact. Several threads may call its methods at once."""

    def __init__(self, manifest: Manifest, saved: Any) -> None:  # noqa: ANN401 - TensorFlow ships no types
        self.manifest = manifest
        self._saved = saved  # its signatures hold only weak references to it
        self._encode: Callable[..., Any] = saved.signatures["encode"]
        self._decide: Callable[..., Any] = saved.signatures["decide"]

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Checks and loads an artifact.

        Raises:
            ArtifactError: the artifact is missing or damaged, or the network does not match its manifest.
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
        """Runs every batch size up to ``max_batch`` once, because the first run of each is slow."""
        config = self.manifest.features
        for size in BATCH_SIZES:
            # Larger batches go through the CNN in parts, so one window for each clip warms up the rest.
            count = self.manifest.windows if size <= _MAX_ENCODED_CLIPS else 1
            windows = Windows(np.zeros((count, config.n_mels, config.columns), np.float32), np.zeros(count))
            if size <= max_batch:
                self.predict([windows] * size)

    def predict(self, clips: Sequence[Windows]) -> list[Prediction]:
        """Predicts the genres and the embedding of each clip, independently of the other clips.

        Args:
            clips: the windows of each clip by this model's front end, at most ``manifest.windows`` each.
        """
        return [prediction for batch in batched(clips, _MAX_BATCH) for prediction in self._predict_batch(batch)]

    def encode(self, windows: Floats) -> Floats:
        """Computes the features [n, d] of windows [n, bands, columns], at least one."""
        rows = _MAX_ENCODED_CLIPS * self.manifest.windows
        parts = (windows[start : start + rows] for start in range(0, len(windows), rows))
        return np.concatenate([self._encode_part(part) for part in parts])

    def _encode_part(self, windows: Floats) -> Floats:
        rows = next(size for size in BATCH_SIZES if size * self.manifest.windows >= len(windows))
        padded = np.zeros((rows * self.manifest.windows, *windows.shape[1:]), np.float32)
        padded[: len(windows)] = windows
        features: Floats = self._encode(windows=padded)["features"].numpy()[: len(windows)]
        return features

    def decide(self, features: Sequence[Floats]) -> list[Prediction]:
        """Predicts the genres and the embedding of clips from the features of their windows.

        Args:
            features: features [w, d] of each clip, at most ``manifest.windows`` rows in the order of time.
        """
        return [prediction for batch in batched(features, _MAX_BATCH) for prediction in self._decide_batch(batch)]

    def _predict_batch(self, clips: Sequence[Windows]) -> list[Prediction]:
        features = self.encode(np.concatenate([clip.values for clip in clips]))
        ends = np.cumsum([len(clip.values) for clip in clips])
        return self._decide_batch(np.split(features, ends[:-1]))

    def _decide_batch(self, features: Sequence[Floats]) -> list[Prediction]:
        size = next(size for size in BATCH_SIZES if size >= len(features))
        padded = np.zeros((size, self.manifest.windows, self.manifest.feature_width), np.float32)
        mask = np.zeros((size, self.manifest.windows), bool)
        # Rows of padding have one empty window, because a row without windows has no mean.
        mask[:, 0] = True
        for row, clip in enumerate(features):
            padded[row, : len(clip)] = clip
            mask[row, : len(clip)] = True
        outputs = {name: value.numpy() for name, value in self._decide(features=padded, mask=mask).items()}
        return [
            Prediction(
                posterior=outputs["posterior"][row],
                embedding=outputs["embedding"][row],
                window_posterior=outputs["window_posterior"][row, : len(clip)],
                novelty=float(outputs["novelty"][row]) if self.manifest.novelty_limit is not None else None,
                tag_scores=clip[:, : len(self.manifest.tags)].mean(0),
            )
            for row, clip in enumerate(features)
        ]


def _check_shapes(folder: Path, manifest: Manifest, saved: Any) -> None:  # noqa: ANN401 - TensorFlow ships no types
    """Checks that the graph has the input and output shapes of its manifest, without running it."""
    config, windows, genres = manifest.features, manifest.windows, len(manifest.labels)
    expected: dict[str, dict[str, tuple[int | None, ...]]] = {
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
    for signature, shapes in expected.items():
        function = saved.signatures[signature]
        specs = function.structured_input_signature[1] | function.structured_outputs
        for name, shape in shapes.items():
            # A dimension that the graph leaves open is compatible with any size.
            if name not in specs or not specs[name].shape.is_compatible_with(shape):
                actual = specs[name].shape if name in specs else "missing"
                raise ArtifactDamaged(
                    f"The network in {folder} does not match its manifest: {name} of {signature} is {actual}, not "
                    f"{shape}. Take a fresh copy of the whole folder, or export it again with segue-trainer."
                )


def _load(saved_model: Path) -> Any:  # noqa: ANN401 - TensorFlow ships no types
    tf = import_tensorflow()
    try:
        return tf.saved_model.load(str(saved_model))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ArtifactDamaged(
            f"TensorFlow cannot load {saved_model}: {error}. Take a fresh copy of the artifact."
        ) from error
