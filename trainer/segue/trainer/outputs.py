"""Checks outputs before any work is done for them, and writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from segue.core.file_lock import FileLock
from segue.core.files import atomic_write, rename_synced
from segue.core.model.artifact import MANIFEST, SAVED_MODEL
from segue.trainer.errors import CheckpointError, DataUnusable

_ENDING = ".checkpoint.npz"
_LOCK_ENDING = ".training.lock"


def checkpoint_path(output: Path) -> Path:
    """Returns the path of an artifact's checkpoint, next to the folder that the artifact will get."""
    return output.parent / f"{output.name}{_ENDING}"


def fold_path(checkpoint: Path, fold: int) -> Path:
    """Returns the path of the checkpoint of a fold, next to that of the run.

    Args:
        checkpoint: checkpoint of the run.
        fold: number of the fold, from 0.
    """
    return checkpoint.with_name(f"{checkpoint.name.removesuffix(_ENDING)}.fold-{fold + 1}{_ENDING}")


def existing_checkpoints(output: Path) -> list[Path]:
    """Returns the checkpoints of an artifact that exist: those of folds, and that of the run at the end."""
    folds = output.parent.glob(f"{escape(output.name)}.fold-[0-9]*{_ENDING}")
    return [*sorted(folds), *filter(Path.exists, [checkpoint_path(output)])]


def check_output(output: Path, *, resume: bool) -> None:
    """Checks that an artifact's folder can be written after training.

    Args:
        output: the folder.
        resume: the run continues from the checkpoint of an interrupted one.

    Raises:
        DataUnusable: the folder holds something else, cannot be replaced, or cannot be written.
        CheckpointError: another run is training to the folder, or there is the checkpoint of an interrupted run, and
            this run does not resume from it.
    """
    if output.name in ("", "..") or output.is_mount():
        raise DataUnusable(
            f"{output} cannot be replaced as a whole, as an artifact is. Name a folder inside it with --output."
        )
    check_writable(output)
    # Other programs have a manifest.json, too.
    is_artifact = (output / MANIFEST).is_file() and (output / SAVED_MODEL).is_dir()
    if output.is_dir() and any(output.iterdir()) and not is_artifact:
        raise DataUnusable(f"{output} holds something that is not an artifact. Name another folder with --output.")
    if _lock_path(output).exists():
        with _lock(_lock_path(output), output):
            pass
    if (paths := existing_checkpoints(output)) and not resume:
        files = ", ".join(map(str, paths))
        raise CheckpointError(
            f"A run was interrupted; its state is in {files}. Continue it with --resume, or remove {files} to start "
            "again."
        )


@contextmanager
def locked_output(output: Path) -> Iterator[None]:
    """Locks an artifact's folder against other runs, by a file next to it that is removed at the end.

    Args:
        output: the folder; its parent is created if it is missing.

    Raises:
        CheckpointError: another run has the lock.
    """
    path = _lock_path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path, output):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock_path(output: Path) -> Path:
    return output.parent / f"{output.name}{_LOCK_ENDING}"


def _lock(path: Path, output: Path) -> FileLock:
    while True:
        lock = FileLock(path)
        if not lock.try_exclusive():
            lock.close()
            raise CheckpointError(
                f"Another run is training to {output}; it has locked {path}. Wait for its end, or train to another "
                "folder."
            )
        if lock.is_current():
            return lock
        lock.close()  # the other run ended and removed the file before this one had the lock


def check_writable(output: Path) -> None:
    """Checks that an output can be written, by creating a folder in the nearest of its parents that exists.

    Raises:
        DataUnusable: nothing can be written there.
    """
    parent = next(parent for parent in output.absolute().parents if parent.exists())
    try:
        with TemporaryDirectory(prefix=f".{output.name}-", dir=parent):
            pass
    except OSError as error:
        raise DataUnusable(
            f"Nothing can be written to {output}: {error.strerror or error}. Name another place."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8; an older file stays until the new one is whole.

    Args:
        path: the file; its folder is created if it is missing. A device or a pipe, such as /dev/stdout, gets the text.
        text: the whole content.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(text.encode())


def replace_folder(fresh: Path, folder: Path, older: Path) -> None:
    """Moves a finished folder to its place; an older one there comes back if that fails.

    Args:
        fresh: the finished folder.
        folder: its place, on the same disk.
        older: path that an older folder in its place is moved to.

    Raises:
        OSError: a folder cannot be moved.
    """
    if not folder.exists():
        rename_synced(fresh, folder)
        return
    folder.rename(older)
    try:
        rename_synced(fresh, folder)
    except BaseException:
        older.rename(folder)
        raise
