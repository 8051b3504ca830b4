"""Predicts posteriors, embeddings and tags from windows, by a loaded network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from segue.core.batching import batched
from segue.core.features.windows import Windows
from segue.core.model.artifact import Manifest
from segue.core.model.network import MAX_BATCH, Floats, Network


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
        windows: embedding [w, e] of each window by itself, of length 1, or None unless it was requested.
    """

    posterior: Floats
    embedding: Floats
    window_posterior: Floats
    novelty: float | None = None
    tag_scores: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    windows: Floats | None = None


class Model:
    """A loaded artifact. Several threads may call its methods at once."""

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self.manifest = manifest
        self._network = network

    @property
    def engine(self) -> str:
        """Name of the engine that runs the network."""
        return self._network.engine

    def warm_up(self, max_batch: int = MAX_BATCH) -> None:
        """Runs every batch size up to ``max_batch`` once whose first run is slow."""
        config = self.manifest.features
        for size in self._network.warm_up_sizes:
            # Larger batches are encoded in parts, so one window for each clip warms up the rest.
            count = self.manifest.windows if size <= self._network.encoded_clips else 1
            windows = Windows(np.zeros((count, config.n_mels, config.columns), np.float32), np.zeros(count))
            if size <= max_batch:
                self.predict([windows] * size)

    def predict(self, clips: Sequence[Windows], *, keep_windows: bool = False) -> list[Prediction]:
        """Predicts the genres and the embedding of each clip, independently of the other clips.

        Args:
            clips: the windows of each clip by this model's front end, at most ``manifest.windows`` each.
            keep_windows: True to predict the embedding of each window, too.
        """
        batches = batched(clips, MAX_BATCH)
        return [prediction for batch in batches for prediction in self._predict_batch(batch, keep_windows)]

    def encode(self, windows: Floats) -> Floats:
        """Computes the features [n, d] of windows [n, bands, columns], at least one."""
        rows = self._network.encoded_clips * self.manifest.windows
        parts = (windows[start : start + rows] for start in range(0, len(windows), rows))
        return np.concatenate([self._network.encode(part) for part in parts])

    def decide(self, features: Sequence[Floats]) -> list[Prediction]:
        """Predicts the genres and the embedding of clips from the features of their windows.

        Args:
            features: features [w, d] of each clip, at most ``manifest.windows`` rows in the order of time.
        """
        return [prediction for batch in batched(features, MAX_BATCH) for prediction in self._decide_batch(batch)]

    def _predict_batch(self, clips: Sequence[Windows], keep_windows: bool) -> list[Prediction]:
        features = self.encode(np.concatenate([clip.values for clip in clips]))
        ends = np.cumsum([len(clip.values) for clip in clips])
        predictions = self._decide_batch(np.split(features, ends[:-1]))
        if not keep_windows:
            return predictions
        # A window by itself is a clip of one window.
        embeddings = np.stack([single.embedding for single in self.decide([row[None] for row in features])])
        pairs = zip(predictions, np.split(embeddings, ends[:-1]), strict=True)
        return [replace(prediction, windows=windows) for prediction, windows in pairs]

    def _decide_batch(self, features: Sequence[Floats]) -> list[Prediction]:
        padded = np.zeros((len(features), self.manifest.windows, self.manifest.feature_width), np.float32)
        mask = np.zeros(padded.shape[:2], bool)
        for row, clip in enumerate(features):
            padded[row, : len(clip)] = clip
            mask[row, : len(clip)] = True
        outputs = self._network.decide(padded, mask)
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
