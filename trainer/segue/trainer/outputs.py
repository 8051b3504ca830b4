"""Checks that an output can be written, before any work is done for it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from segue.core.files import atomic_write
from segue.core.model.artifact import MANIFEST, SAVED_MODEL
from segue.trainer.errors import CheckpointError, DataUnusable


def checkpoint_path(output: Path) -> Path:
    """Where the run of an artifact keeps its checkpoint: beside the artifact, which does not stand yet."""
    return output.parent / f"{output.name}.checkpoint.npz"


def check_output(output: Path, *, resume: bool) -> None:
    """Refuses an output that would fail when the training is done, and to begin where an unfinished run lies.

    Raises:
        DataUnusable: the folder holds something else, cannot be replaced, or nothing can be written beside it.
        CheckpointError: a run was stopped there, and this one is not meant to go on from it.
    """
    if output.name in ("", "..") or output.is_mount():
        raise DataUnusable(
            f"{output} cannot be replaced as a whole, as an artifact is. Name a folder within another by --output."
        )
    check_writable(output)
    # Other programs keep a manifest.json of their own.
    artifact = (output / MANIFEST).is_file() and (output / SAVED_MODEL).is_dir()
    if output.is_dir() and any(output.iterdir()) and not artifact:
        raise DataUnusable(f"{output} holds something that is not an artifact. Name another folder by --output.")
    if checkpoint_path(output).exists() and not resume:
        raise CheckpointError(
            f"A run was stopped before its end, and {checkpoint_path(output)} has its best epoch. Go on with --resume, "
            "or remove that file to start anew."
        )


def check_writable(output: Path) -> None:
    """Tries to make a folder where an output will be made, as far as its own folders stand.

    Raises:
        DataUnusable: nothing can be made there.
    """
    beside = next(parent for parent in output.absolute().parents if parent.exists())
    try:
        with TemporaryDirectory(prefix=f".{output.name}-", dir=beside):
            pass
    except OSError as error:
        raise DataUnusable(
            f"Nothing can be written to {output}: {error.strerror or error}. Name another place."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8; an older file stays until the new one is whole.

    Args:
        path: the file; its folder is created if it is missing.
        text: the whole content.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(text.encode())
