"""Writes a network as an artifact: a SavedModel with three signatures, its ONNX twin, manifest and model card."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import SAVED_MODEL, Manifest, write_manifest
from segue.trainer import console
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset, genres_of
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import TwinFailed
from segue.trainer.evaluation.calibration import calibration_temperature
from segue.trainer.export.onnx_twin import write_twin
from segue.trainer.export.signatures import ServingGraph, build_serving_graph
from segue.trainer.networks.trained import AnyTrained
from segue.trainer.outputs import replace_folder, write_text

CARD = "model-card.md"
_BATCH = 32


def centre_of(trained: AnyTrained, train: Dataset, config: FeatureConfig) -> Floats:
    """Computes the centre of the embeddings: the mean of the encoder's features over the training clips."""
    served = served_windows(train, config)
    centre: Floats = trained.encoder.predict(served["windows"][served["mask"]], verbose=0).mean(0)
    return centre


def calibrate(trained: AnyTrained, data: TrainValidSplit, config: FeatureConfig) -> tuple[ServingGraph, float]:
    """Measures the centre of the embeddings on the training clips, and fits the temperature on the validation clips.

    Returns:
        The network as it is served, and the temperature in it: 1 where the validation clips cannot fit one.
    """
    centre = centre_of(trained, data.train, config)
    posterior = predict_served(build_serving_graph(trained, centre, 1.0), data.validation, config)["posterior"]
    temperature = calibration_temperature(posterior, genres_of(data.validation, data.labels))
    return build_serving_graph(trained, centre, temperature), temperature


def write_artifact(
    folder: Path,
    network: ServingGraph,
    manifest: Manifest,
    describe: Callable[[Path], tuple[dict[str, float], str]],
) -> Manifest:
    """Writes an artifact's folder; an older one in its place stays until the new one is whole.

    Args:
        folder: folder of the artifact.
        network: the network as it is served.
        manifest: the manifest; its model id, metrics and digests are filled in.
        describe: evaluates the new artifact in its folder, may add files to it, and returns its metrics and its card.

    Returns:
        The manifest as written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / folder.name
        signatures = {"encode": network.encode, "decide": network.decide, "serving_default": network.both}
        tf.saved_model.save(network, str(fresh / SAVED_MODEL), signatures=signatures)
        _fix_fingerprint(fresh / SAVED_MODEL / "fingerprint.pb")
        _add_twin(fresh, manifest)
        first = write_manifest(fresh, manifest)
        metrics, card = describe(fresh)
        write_text(fresh / CARD, card)
        written = write_manifest(fresh, replace(first, metrics=metrics))
        replace_folder(fresh, folder, Path(scratch) / "older")
    return written


def _add_twin(folder: Path, manifest: Manifest) -> None:
    """Adds the ONNX twin; a model that cannot be converted has none, since a finished training is worth more."""
    try:
        write_twin(folder, manifest)
    except TwinFailed as error:
        console.notify(f"Warning: {error}")


def _fix_fingerprint(path: Path) -> None:
    """Replaces the random number that TensorFlow writes, so that the same network has the same model id."""
    fingerprint = FingerprintDef.FromString(path.read_bytes())
    fingerprint.uuid = str(fingerprint.saved_model_checksum << 64 | fingerprint.checkpoint_hash)
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))


def predict_served(network: ServingGraph, dataset: Dataset, config: FeatureConfig) -> dict[str, Floats]:
    """Predicts clips as the artifact will.

    Returns:
        By name: posterior [clips, genres], embedding [clips, e] and window_posterior [clips, w, genres], which is 0 for
        windows that are absent.
    """
    served = served_windows(dataset, config)
    batches = np.array_split(np.arange(len(dataset.clips)), 1 + len(dataset.clips) // _BATCH)
    predicted = [network.both(served["windows"][rows], served["mask"][rows]) for rows in batches]
    return {name: np.concatenate([batch[name].numpy() for batch in predicted]) for name in predicted[0]}
