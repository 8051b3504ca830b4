"""Checkpoints: one file that holds all that a run needs to go on, and is whole or not there."""

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
    """A run after some epoch.

    Attributes:
        epoch: how many are finished.
        best_epoch: the best of them, from 1.
        history: figures of each epoch, by name.
        weights: everything that the network remembers, the states of its random layers too.
        optimizer: everything that its optimiser remembers.
        best: the weights of the best epoch.
        random_state: of Python's own generator, which puts batches into order.
        seconds: wall time of the epochs so far, or None where the version that wrote it did not count them.
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
    """Writes a checkpoint; the older one stands until this one is whole.

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
        kept = (
            "The one of the epoch before is whole. Make room, and go on with --resume."
            if path.exists()
            else "There is no older one. Make room, and start again."
        )
        raise CheckpointError(
            f"The checkpoint of epoch {checkpoint.epoch} cannot be written to {path}: {error.strerror or error}. {kept}"
        ) from error


def read_checkpoint(path: Path, identity: Mapping[str, Any]) -> Checkpoint:
    """Reads a checkpoint.

    Args:
        path: its file.
        identity: what the run is of, by name.

    Raises:
        CheckpointMismatch: there is none, it is damaged, or it is of another run; the message names what differs.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(str(file["state"]))
            arrays: dict[str, Any] = {
                part: [file[name] for name in sorted(file.files) if name.startswith(part)] for part in _LISTS
            }
        differing = _differing(state.pop("identity"), json.loads(json.dumps(identity)))
        version, numbers, gauss = state.pop("random_state")
        found = Checkpoint(**state, **arrays, random_state=(version, tuple(numbers), gauss))
    except FileNotFoundError as error:
        raise CheckpointMismatch(f"There is no run to go on from: {path} is not there. Leave out --resume.") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointMismatch(f"{path} is not a checkpoint, or it is damaged. Remove it and start anew.") from error
    if differing:
        raise CheckpointMismatch(
            f"{path} is the checkpoint of another run: {'; '.join(differing)}. Give the options of that run, or "
            "another --output."
        )
    return found


def _differing(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return [
        f"its {name} is {held.get(name, 'not known')}, not {wanted.get(name, 'given')}"
        for name in sorted({*held, *wanted})
        if held.get(name) != wanted.get(name)
    ]
