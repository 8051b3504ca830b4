"""Where Segue's own things lie. The programs ask this for their ``--help``, so nothing heavy is imported here."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_folder() -> Path:
    """Where Segue keeps its state: SEGUE_DATA, else ``segue`` in the user's folder for data."""
    if named := os.environ.get("SEGUE_DATA"):
        return Path(named)
    shared = os.environ.get("XDG_DATA_HOME", "")
    # The XDG Base Directory Specification has relative paths ignored.
    return (Path(shared) if Path(shared).is_absolute() else Path.home() / ".local" / "share") / "segue"


DEFAULT_MODEL = "segue-accurate"


def default_model() -> Path:
    """The folder of the artifact that is used where nobody names one."""
    return shipped_models() / DEFAULT_MODEL


def shipped_models() -> Path:
    """The folder of the artifacts that ship with Segue."""
    shipped = Path(__file__).parent / "models"
    in_checkout = Path(__file__).parents[3] / "models"
    return shipped if shipped.is_dir() else in_checkout


def resolve_model(name: str | Path) -> Path:
    """The folder of an artifact by the name of one that ships, such as "segue-fast", or by its path.

    A name is one word without a slash; ``./segue-fast`` is a path.
    """
    # os.path takes what no file system bears, such as a name of 300 letters, for no folder; pathlib raises.
    is_folder = os.path.isdir(name)  # noqa: PTH112 - as said
    is_name = os.sep not in str(name) and str(name) in os.listdir(shipped_models())  # noqa: PTH208 - as said
    return shipped_models() / name if is_name and not is_folder else Path(name)
