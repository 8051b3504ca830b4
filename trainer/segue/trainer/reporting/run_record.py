"""What a run leaves beside its network: all that is needed to judge its figures, or to make them again."""

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
_PACKAGES = ("segue", "tensorflow", "tensorflow-cpu", "keras", "numpy", "scikit-learn", "librosa", "soundfile")


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    Attributes:
        network: the name of its recipe.
        embedding: which layer the embedding is.
        split: its label.
        split_digest: the SHA-256 of its sides.
        data_digest: the SHA-256 of the clips that were learnt from, and of those that validated.
        learnt: how many were learnt from.
        valid: how many validated.
        plan: all settings of the training, the seed among them.
        epochs: how many were run.
        best_epoch: the one that was kept, from 1.
        seconds: wall time of all epochs, or None where a part of them was not counted.
        versions: of Python and of the packages that the figures depend on.
        history: figures of each epoch, by name.
    """

    network: str
    embedding: str
    split: str
    split_digest: str
    data_digest: str
    learnt: int
    valid: int
    plan: dict[str, Any]
    epochs: int
    best_epoch: int
    seconds: float | None
    versions: dict[str, str]
    history: dict[str, list[float]]

    def save(self, folder: Path) -> None:
        """Writes it into an artifact's folder."""
        write_text(folder / RECORD, json.dumps(asdict(self), indent=2) + "\n")


def read_record(folder: Path) -> RunRecord | None:
    """The record in an artifact's folder, or None where it has none.

    Raises:
        DataUnusable: it is damaged.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        return RunRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, OSError) as error:
        raise DataUnusable(f"{path} is not the record of a run: {error}. Train the network again.") from error


def installed_versions() -> dict[str, str]:
    """The versions of Python and of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
