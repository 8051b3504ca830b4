from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.trainer.errors import CheckpointError, CheckpointMismatch
from segue.trainer.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from tests.helpers.machine.disk import full_disk

IDENTITY = {"network": "paper-cnn", "seed": 1}


def checkpoint(size: int = 8) -> Checkpoint:
    """A checkpoint of random numbers."""
    arrays = [np.random.default_rng(i).random(size) for i in range(3)]
    return Checkpoint(2, 1, {"loss": [2.0, 1.0]}, arrays, arrays[:1], arrays[1:], random.getstate())


def test_a_checkpoint_is_read_back_whole(tmp_path: Path) -> None:
    """Numbers are the same to the last bit, and so is the state of the generator."""
    written = checkpoint()
    write_checkpoint(tmp_path / "run.npz", written, IDENTITY)
    restored = read_checkpoint(tmp_path / "run.npz", IDENTITY)
    assert (written.epoch, written.best_epoch, written.history) == (
        restored.epoch,
        restored.best_epoch,
        restored.history,
    )
    assert written.random_state == restored.random_state
    for name in ("weights", "optimizer", "best"):
        for expected, actual in zip(getattr(written, name), getattr(restored, name), strict=True):
            assert np.array_equal(expected, actual)


def test_a_full_disk_keeps_the_older_checkpoint(tmp_path: Path) -> None:
    """The message says so, and no part of the newer one is left."""
    path = tmp_path / "run.npz"
    write_checkpoint(path, checkpoint(), IDENTITY)
    with full_disk(100_000), pytest.raises(CheckpointError, match=r"the previous epoch is whole.*--resume"):
        write_checkpoint(path, replace(checkpoint(100_000), epoch=3), IDENTITY)
    assert 2 == read_checkpoint(path, IDENTITY).epoch
    assert [path] == list(tmp_path.iterdir())


def test_the_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    """The message names what differs."""
    write_checkpoint(tmp_path / "run.npz", checkpoint(), IDENTITY)
    with pytest.raises(
        CheckpointMismatch,
        match=r"its network is paper-cnn, not segue-fast; its seed is 1, not 2\. .* or remove the file",
    ):
        read_checkpoint(tmp_path / "run.npz", {"network": "segue-fast", "seed": 2})


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """No part of it is restored."""
    if content is not None:
        (tmp_path / "run.npz").write_bytes(content)
    with pytest.raises(CheckpointMismatch, match=r"run\.npz"):
        read_checkpoint(tmp_path / "run.npz", IDENTITY)
