"""Reads and writes files of arrays (npz)."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.core.files import atomic_write

Fields = dict[str, NDArray[Any]]

# NumPy and zipfile raise these for a damaged file or one of another kind; neither documents them.
_DAMAGE = (EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError, RuntimeError, MemoryError)


def read_npz(path: Path) -> Fields:
    """Reads all arrays of a file, by their names.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not an npz, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except _DAMAGE as error:
        raise ValueError(f"{path} is not an npz, or it is damaged: {error}") from error


def write_npz(path: Path, fields: Fields) -> None:
    """Writes arrays; an older file stays until the new one is whole.

    Raises:
        OSError: it cannot be written, as on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, **fields)
