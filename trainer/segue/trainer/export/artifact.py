"""Turns a trained network into an artifact: one SavedModel with three signatures, its manifest and its card."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef

from segue.core.features.config import FeatureConfig
from segue.core.files import rename_synced
from segue.core.model.artifact import SAVED_MODEL, Manifest, write_manifest
from segue.trainer.arrays import Floats
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.front_end import MAX_WINDOWS
from segue.trainer.data.labelled_windows import served_windows
from segue.trainer.evaluation.metrics import fit_temperature
from segue.trainer.export.signatures import ServingGraph, serve
from segue.trainer.networks.trained import TrainedFast, TrainedPaper
from segue.trainer.outputs import write_text

CARD = "model-card.md"


def calibrate(
    trained: TrainedFast | TrainedPaper, learnt: Dataset, valid: Dataset, labels: tuple[str, ...], config: FeatureConfig
) -> tuple[ServingGraph, float]:
    """Measures the centre of the embeddings on the training clips and the temperature on the validation clips.

    Returns:
        The served network, and the temperature that is in it.
    """
    plain = serve(trained, np.zeros(trained.shape.width, np.float32), 1.0)
    served = served_windows(learnt, config, MAX_WINDOWS)
    centre = trained.encoder.predict(served["windows"][served["mask"]], verbose=0).mean(0)
    posterior = _answer(plain, valid, config)
    genres = np.array([labels.index(clip.genre) for clip in valid.clips])
    temperature = fit_temperature(np.log(np.maximum(posterior, 1e-30)), genres)
    return serve(trained, centre, temperature), temperature


def write_artifact(
    folder: Path,
    network: ServingGraph,
    manifest: Manifest,
    describe: Callable[[Path], tuple[dict[str, float], str]],
) -> Manifest:
    """Writes an artifact's folder; an older one in its place is only taken away once the new one stands.

    Args:
        folder: where.
        network: what is served.
        manifest: what it says of itself; its model id, metrics and digests are made here.
        describe: measures the fresh artifact in its folder, and answers its metrics and its card.

    Returns:
        The manifest as written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        fresh = Path(beside) / folder.name
        signatures = {"encode": network.encode, "decide": network.decide, "serving_default": network.both}
        tf.saved_model.save(network, str(fresh / SAVED_MODEL), signatures=signatures)
        _settle_fingerprint(fresh / SAVED_MODEL / "fingerprint.pb")
        plain = write_manifest(fresh, manifest)
        metrics, card = describe(fresh)
        write_text(fresh / CARD, card)
        written = write_manifest(fresh, replace(plain, metrics=metrics))
        _put(fresh, folder, Path(beside) / "older")
    return written


def _settle_fingerprint(path: Path) -> None:
    """Replaces the random number that TensorFlow puts into every SavedModel: the same network has the same model id."""
    fingerprint = FingerprintDef.FromString(path.read_bytes())
    fingerprint.uuid = str(fingerprint.saved_model_checksum << 64 | fingerprint.checkpoint_hash)
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))


def _put(fresh: Path, folder: Path, older: Path) -> None:
    """Moves an artifact to its place, and what was there aside; should the first fail, it is put back."""
    if not folder.exists():
        rename_synced(fresh, folder)
        return
    folder.rename(older)
    try:
        rename_synced(fresh, folder)
    except BaseException:
        older.rename(folder)
        raise


def _answer(network: ServingGraph, dataset: Dataset, config: FeatureConfig) -> Floats:
    served = served_windows(dataset, config, MAX_WINDOWS)
    parts = np.array_split(np.arange(len(dataset.clips)), 1 + len(dataset.clips) // 32)
    answers = [network.both(served["windows"][part], served["mask"][part])["posterior"].numpy() for part in parts]
    posterior: Floats = np.concatenate(answers)
    return posterior
