"""Finds the folders that a program uses: Segue's data, its models, temporary files, and the caches of libraries.

The programs use it for their ``--help``, so it imports no large library.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from segue.core.errors import EnvironmentUnusable

MAX_SOCKET_PATH_BYTES = 103
"""Longest path of a Unix socket: its address has 108 bytes on Linux and 104 on macOS, with a final zero."""

NO_DATA_FOLDER = "This user has no home folder for Segue's data. Name a folder with --data or SEGUE_DATA."
"""Message for a user without a home folder."""

# Where libraries keep caches if the user has no home folder; numba and Keras fail without, or use the current folder.
_CACHE_VARIABLES = {"MPLCONFIGDIR": "matplotlib", "NUMBA_CACHE_DIR": "numba", "KERAS_HOME": "keras"}


def home_folder() -> Path | None:
    """Returns the user's home folder, or None for a service without HOME and without an entry in passwd."""
    with suppress(RuntimeError):
        home = Path.home()
        return home if home.is_absolute() else None
    return None


def default_data_folder() -> Path | None:
    """Returns the folder of Segue's state: SEGUE_DATA, else ``segue`` in the user's data folder, else None."""
    if data_folder := os.environ.get("SEGUE_DATA"):
        return Path(data_folder)
    xdg_folder = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The XDG Base Directory Specification says that relative paths are ignored.
    if xdg_folder.is_absolute():
        return xdg_folder / "segue"
    home = home_folder()
    return home and home / ".local" / "share" / "segue"


def use_data_folder(data: Path) -> None:
    """Makes the data folder the place of temporary files and caches where the system has no other that can be written.

    Raises:
        EnvironmentUnusable: temporary files cannot be written anywhere.
    """
    home = home_folder()
    if home is None or not os.access(home, os.W_OK):
        for variable, name in _CACHE_VARIABLES.items():
            os.environ.setdefault(variable, str(data.absolute() / "cache" / name))
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = str(_writable_folder(data.absolute() / "tmp"))


def _writable_folder(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise EnvironmentUnusable(
            f"No folder for temporary files can be written, neither /tmp nor {folder} ({error.strerror}). Make room on "
            "the disk, or set TMPDIR to a folder that can be written."
        ) from error
    return folder


def socket_folder(rest: int) -> Path:
    """Returns a temporary folder with a short path, for a socket.

    Args:
        rest: length in bytes of the socket's path after the folder.

    Raises:
        EnvironmentUnusable: the paths of all temporary folders are too long.
    """
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - the callers make private folders there
        if len(os.fsencode(folder)) + rest <= MAX_SOCKET_PATH_BYTES and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise EnvironmentUnusable(
        f"The path of the temporary folder {tempfile.gettempdir()} is too long for a Unix socket, and the system's own "
        f"cannot be written. Set TMPDIR to a folder with a path of up to {MAX_SOCKET_PATH_BYTES - rest} bytes."
    )


DEFAULT_MODEL = "segue-accurate"


def default_model() -> Path:
    """Returns the folder of the default artifact, ``DEFAULT_MODEL``."""
    return shipped_models() / DEFAULT_MODEL


def shipped_models() -> Path:
    """Returns the folder of the artifacts that are distributed with Segue."""
    installed = Path(__file__).parent / "models"
    in_checkout = Path(__file__).parents[3] / "models"
    return installed if installed.is_dir() else in_checkout


def shipped_model_names() -> list[str]:
    """Returns the names of the artifacts of ``shipped_models`` in order."""
    return sorted(
        entry.name for entry in shipped_models().iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def resolve_model(name: str | Path) -> Path:
    """Returns the folder of an artifact.

    Args:
        name: the name of an artifact of ``shipped_models``, such as "segue-fast", or the path of a folder. A name is
            one word without a slash; ``./segue-fast`` is a path.
    """
    # A name that no file system accepts, such as one of 300 letters, is not a folder for os.path; pathlib raises.
    is_folder = os.path.isdir(name)  # noqa: PTH112 - pathlib raises for such names
    is_name = os.sep not in str(name) and str(name) in os.listdir(shipped_models())  # noqa: PTH208 - names, not paths
    return shipped_models() / name if is_name and not is_folder else Path(name)
