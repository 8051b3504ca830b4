"""Fixtures of all tests: clips, real ones if available, else rendered; and a tiny network."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import Manifest, read_manifest, write_manifest
from segue.core.testing.synthetic_clips import STYLES, render_folder
from segue.trainer.data.npz import Fields, write_npz

ROOT = Path(__file__).parents[1]
GTZAN = Path(os.environ.get("SEGUE_GTZAN", ROOT.parent / "shared" / "data" / "gtzan"))


def pytest_configure() -> None:
    """Resets SIGINT and SIGHUP: if the runner ignored them, all programs that tests start would ignore them, too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # Under nohup the runner still ignores it, but the programs that it starts do not.
        signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_report_header() -> str:
    """Returns a line for the head of the run: which clips it uses."""
    return f"clips: real, from {GTZAN}" if GTZAN.is_dir() else f"clips: rendered, because {GTZAN} does not exist"


@pytest.fixture(scope="session")
def gtzan() -> Path:
    """The folder of real GTZAN data; skips if there is none."""
    if not GTZAN.is_dir():
        pytest.skip("no real GTZAN data: set SEGUE_GTZAN to its folder")
    return GTZAN


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty clips of 30 s, two of each genre: real ones if available, else rendered."""
    if not GTZAN.is_dir():
        return render_folder(tmp_path_factory.mktemp("clips"))
    return [clip for style in STYLES for clip in sorted((GTZAN / "audio" / style.name).glob("*.flac"))[:2]]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with an untrained network that loads fast, with the real signatures and the real front end."""
    folder = tmp_path_factory.mktemp("tiny-model")
    config = FeatureConfig()
    _save_tiny_network(folder / "saved_model", config)
    manifest = Manifest(
        name="tiny",
        model_id="",
        labels=tuple(style.name for style in STYLES),
        windows=10,
        feature_width=config.n_mels,
        embedding_width=config.n_mels,
        features=config,
        temperature=1.0,
    )
    _write_twin(folder, manifest)
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="session")
def tagging_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with 20 tags: the scores of a window are the lowest bands of its mean spectrum."""
    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("tagging") / "model")
    write_manifest(folder, replace(read_manifest(folder), tags=tuple(f"tag {number}" for number in range(20))))
    return folder


@pytest.fixture(scope="session")
def random_weights() -> Fields:
    """Variables of MusiCNN by their names in the checkpoint, with fewer filters of its CNN, and random values."""
    random = np.random.default_rng(11)
    timbre, tempo, middle, dense = 8, 4, 6, 200
    front = 2 * timbre + 3 * tempo
    pooled = 2 * (front + 3 * middle)
    kernels = {
        **{name: (7, bands, 1, timbre) for name, bands in (("conv2d", 38), ("conv2d_1", 67))},
        **{name: (columns, 1, 1, tempo) for name, columns in (("conv2d_2", 128), ("conv2d_3", 64), ("conv2d_4", 32))},
        **{name: (7, width, 1, middle) for name, width in (("conv2d_5", front), ("conv2d_6", 6), ("conv2d_7", 6))},
        "dense": (pooled, dense),
        "dense_1": (dense, 50),
    }
    widths = (1, timbre, timbre, tempo, tempo, tempo, middle, middle, middle, pooled, dense)
    weights: Fields = {}
    for name, shape in kernels.items():
        weights[f"{name}/kernel"] = random.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        weights[f"{name}/bias"] = random.standard_normal(shape[-1]) / 10
    for number, width in enumerate(widths):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        weights |= {f"{name}/{part}": random.random(width) + 0.5 for part in ("gamma", "moving_variance")}
        weights |= {f"{name}/{part}": random.standard_normal(width) for part in ("beta", "moving_mean")}
    return {name: values.astype(np.float32) for name, values in weights.items()}


@pytest.fixture(scope="session")
def backbone_file(tmp_path_factory: pytest.TempPathFactory, random_weights: Fields) -> Path:
    """A file with ``random_weights``, as ``segue-trainer import-backbone`` writes it."""
    path = tmp_path_factory.mktemp("backbone") / "weights.npz"
    write_npz(path, random_weights)
    return path


def _write_twin(folder: Path, manifest: Manifest) -> None:
    from segue.trainer.export.onnx_twin import write_twin  # noqa: PLC0415 - it imports TensorFlow

    write_twin(folder, manifest)


def _save_tiny_network(folder: Path, config: FeatureConfig) -> None:
    """Saves a network: a window's features are its mean spectrum, a clip's embedding their mean.

    The posterior is a fixed projection of the mean.
    """
    import tensorflow as tf  # noqa: PLC0415 - takes seconds, and few tests need it

    projection = tf.constant(np.random.default_rng(7).standard_normal((config.n_mels, len(STYLES))), tf.float32)
    windows = tf.TensorSpec([None, config.n_mels, config.columns], tf.float32)
    clip_windows = tf.TensorSpec([None, 10, config.n_mels, config.columns], tf.float32)
    features = tf.TensorSpec([None, 10, config.n_mels], tf.float32)
    mask = tf.TensorSpec([None, 10], tf.bool)

    class Tiny(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
        @tf.function(input_signature=[windows])  # type: ignore[untyped-decorator]  # likewise
        def encode(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"features": tf.reduce_mean(windows, axis=2) / 60 + 1}

        @tf.function(input_signature=[features, mask])  # type: ignore[untyped-decorator]  # likewise
        def decide(self, features: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
            weight = tf.cast(mask, tf.float32)[:, :, None]
            mean = tf.reduce_sum(features * weight, 1) / tf.reduce_sum(weight, 1)
            centred = mean - tf.reduce_mean(mean, 1, keepdims=True) + 1e-6
            return {
                "posterior": tf.nn.softmax(mean @ projection / 4),
                "embedding": tf.math.l2_normalize(centred, 1),
                "window_posterior": tf.nn.softmax(features @ projection / 4),
                "novelty": mean[:, 0],
            }

        @tf.function(input_signature=[clip_windows, mask])  # type: ignore[untyped-decorator]  # likewise
        def both(self, windows: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
            features = self.encode(tf.reshape(windows, [-1, config.n_mels, config.columns]))["features"]
            outputs: dict[str, tf.Tensor] = self.decide(tf.reshape(features, [-1, 10, config.n_mels]), mask)
            return outputs

    tiny = Tiny()
    tf.saved_model.save(
        tiny, str(folder), signatures={"encode": tiny.encode, "decide": tiny.decide, "serving_default": tiny.both}
    )
