"""Checkpoints: one file with all that a run needs to resume, which is complete or missing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.files import atomic_write
from segue.trainer.errors import CheckpointError, CheckpointMismatch

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after an epoch.

    Attributes:
        epoch: number of finished epochs.
        best_epoch: the best of them, from 1.
        history: figures of each epoch, by name.
        weights: all variables of the network, with the states of its random layers.
        optimizer: all variables of the optimizer.
        best: weights of the best epoch.
        random_state: state of Python's generator, which orders the batches.
        seconds: wall time of the epochs so far, or None where the version that wrote it did not measure it.
    """

    epoch: int
    best_epoch: int
    history: dict[str, list[float]]
    weights: Arrays
    optimizer: Arrays
    best: Arrays
    random_state: tuple[Any, ...]
    seconds: float | None = None


_LISTS = ("weights", "optimizer", "best")


def write_checkpoint(path: Path, checkpoint: Checkpoint, identity: Mapping[str, Any]) -> None:
    """Writes a checkpoint; the older one stays until this one is whole.

    Args:
        path: file of the checkpoint.
        checkpoint: state of the run.
        identity: what identifies the run, by name.

    Raises:
        CheckpointError: it cannot be written, as on a full disk.
    """
    arrays = {f"{name}{i:04}": array for name in _LISTS for i, array in enumerate(getattr(checkpoint, name))}
    state = {
        "identity": identity,
        "epoch": checkpoint.epoch,
        "best_epoch": checkpoint.best_epoch,
        "history": checkpoint.history,
        "random_state": checkpoint.random_state,
        "seconds": checkpoint.seconds,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.savez(file, allow_pickle=False, state=np.array(json.dumps(state)), **arrays)
    except OSError as error:
        remedy = (
            "The checkpoint of the previous epoch is whole. Free some space, and continue with --resume."
            if path.exists()
            else "There is no older checkpoint. Free some space, and start again."
        )
        raise CheckpointError(
            f"The checkpoint of epoch {checkpoint.epoch} cannot be written to {path}: {error.strerror or error}. "
            f"{remedy}"
        ) from error


def read_checkpoint(path: Path, identity: Mapping[str, Any]) -> Checkpoint:
    """Reads a checkpoint.

    Args:
        path: file of the checkpoint.
        identity: what identifies the run, by name.

    Raises:
        CheckpointMismatch: it is missing or damaged, or it is of another run; the message names what differs.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(str(file["state"]))
            arrays: dict[str, Any] = {
                part: [file[name] for name in sorted(file.files) if name.startswith(part)] for part in _LISTS
            }
        differences = _differences(state.pop("identity"), json.loads(json.dumps(identity)))
        version, numbers, gauss = state.pop("random_state")
        checkpoint = Checkpoint(**state, **arrays, random_state=(version, tuple(numbers), gauss))
    except FileNotFoundError as error:
        raise CheckpointMismatch(
            f"There is no run to resume: {path} does not exist. Leave out --resume and --finish."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointMismatch(f"{path} is not a checkpoint, or it is damaged. Remove it and start again.") from error
    if differences:
        raise CheckpointMismatch(
            f"{path} is the checkpoint of another run: {'; '.join(differences)}. Continue that run with its "
            "own options, or remove the file to start again."
        )
    return checkpoint


def _differences(saved: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    before, now = _flatten(saved), _flatten(expected)
    return [
        f"its {path[-1]} is {before.get(path, 'unknown')}, not {now.get(path, 'given')}"
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]


def _flatten(identity: Mapping[str, Any], *above: str) -> dict[tuple[str, ...], Any]:
    """Returns the values of nested mappings by all names that lead to each."""
    flat: dict[tuple[str, ...], Any] = {}
    for name, value in identity.items():
        path = (*above, name)
        flat |= _flatten(value, *path) if isinstance(value, Mapping) else {path: value}
    return flat
