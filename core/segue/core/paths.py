"""Finds Segue's data folder and its models.

The programs use it for their ``--help``, so it imports no large library.
"""

from __future__ import annotations

import os
from pathlib import Path


def default_data_folder() -> Path:
    """Returns the folder of Segue's state: SEGUE_DATA, else ``segue`` in the user's data folder."""
    if data_folder := os.environ.get("SEGUE_DATA"):
        return Path(data_folder)
    xdg_folder = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The XDG Base Directory Specification says that relative paths are ignored.
    return (xdg_folder if xdg_folder.is_absolute() else Path.home() / ".local" / "share") / "segue"


DEFAULT_MODEL = "segue-accurate"


def default_model() -> Path:
    """Returns the folder of the default artifact, ``DEFAULT_MODEL``."""
    return shipped_models() / DEFAULT_MODEL


def shipped_models() -> Path:
    """Returns the folder of the artifacts that are distributed with Segue."""
    installed = Path(__file__).parent / "models"
    in_checkout = Path(__file__).parents[3] / "models"
    return installed if installed.is_dir() else in_checkout


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
