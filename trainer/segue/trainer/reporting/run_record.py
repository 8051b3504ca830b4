"""The record of a training run, which is saved with its network so that figures can be checked and reproduced."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from segue.trainer.errors import DataUnusable
from segue.trainer.outputs import write_text

RECORD = "run.json"
_PACKAGES = (
    "segue",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "onnxruntime",
    "tf2onnx",
    "numpy",
    "scikit-learn",
    "librosa",
    "soundfile",
)
# Names of fields in the file, where they differ from the fields' own: artifacts that exist have these.
_SAVED_NAMES = {"train": "learnt", "validation": "valid"}


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    Attributes:
        network: name of its recipe.
        embedding: the layer that the embedding is.
        split: label of its split.
        split_digest: SHA-256 of the split's sides.
        data_digest: SHA-256 of the training and validation clips.
        train: number of training clips.
        validation: number of validation clips.
        plan: all settings of the training, including the seed.
        epochs: number of epochs that were run.
        best_epoch: the epoch that was kept, from 1.
        seconds: wall time of all epochs, or None where part of it was not measured.
        versions: versions of Python and of the packages that the figures depend on.
        history: figures of each epoch, by name.
        folds: number of folds of the cross-validation that evaluated it, 0 where validation clips did. The history is
            the mean over the clips that they hold out.
        pseudo_labelled: number of clips without labels that it was trained on.
        teacher: model id of the network that predicted their genres, empty without such clips.
    """

    network: str
    embedding: str
    split: str
    split_digest: str
    data_digest: str
    train: int
    validation: int
    plan: dict[str, Any]
    epochs: int
    best_epoch: int
    seconds: float | None
    versions: dict[str, str]
    history: dict[str, list[float]]
    folds: int = 0
    pseudo_labelled: int = 0
    teacher: str = ""

    def save(self, folder: Path) -> None:
        """Writes the record into an artifact's folder."""
        fields = {_SAVED_NAMES.get(name, name): value for name, value in asdict(self).items()}
        write_text(folder / RECORD, json.dumps(fields, indent=2) + "\n")


def read_record(folder: Path) -> RunRecord | None:
    """Reads the record in an artifact's folder, or returns None where it has none.

    Raises:
        DataUnusable: it is damaged.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    names = {saved: name for name, saved in _SAVED_NAMES.items()}
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return RunRecord(**{names.get(name, name): value for name, value in fields.items()})
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise DataUnusable(
            f"{path} is not the record of a run: {error}. Remove its folder, and train the network again."
        ) from error


def installed_versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that figures depend on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
