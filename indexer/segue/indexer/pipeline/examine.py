"""Examines one file: decodes what the model needs of it, and reads its tags.

``examine`` is a pure function of the file's bytes and the settings. Its arguments and results can be sent to another
process or machine, so any executor can run it.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from segue.core.audio.track_id import track_id
from segue.core.errors import SegueError, WorkerOutOfMemory, WorkerTimedOut
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.windows import Windows
from segue.indexer.pipeline.tags import Tags, read_tags
from segue.indexer.text import display_path

UNREADABLE = "FILE_UNREADABLE"
"""Reason of a file that the operating system does not let us read."""

# Reason of a file that exceeded a limit, and the option that raises the limit.
_LIMITS: dict[type[SegueError], tuple[str, str]] = {
    WorkerTimedOut: ("FILE_TIMED_OUT", "--file-seconds N"),
    WorkerOutOfMemory: ("FILE_TOO_MUCH_MEMORY", "--file-memory MIB"),
}


@dataclass(frozen=True)
class Examined:
    """Content of a file.

    Attributes:
        track_id: id of its audio.
        windows: windows for the model.
        seconds: duration, in seconds.
        tags: its tags.
    """

    track_id: str
    windows: Windows
    seconds: float
    tags: Tags


@dataclass(frozen=True)
class Failure:
    """A file or folder that could not be indexed.

    Attributes:
        path: its display path.
        reason: machine-readable name of the problem, upper snake case.
        message: a sentence for people.
    """

    path: str
    reason: str
    message: str

    @classmethod
    def from_error(cls, path: Path, error: Exception) -> Failure:
        """Returns the failure of a file that raised an exception."""
        if isinstance(error, WorkerTimedOut | WorkerOutOfMemory):
            reason, option = _LIMITS[type(error)]
            advice = f"Leave the file out, or raise the limit: `segue-indexer retry --reason {reason} {option}`."
            return cls(display_path(path), reason, f"{error} {advice}")
        if isinstance(error, SegueError):
            return cls(display_path(path), error.reason, str(error))
        if isinstance(error, OSError):
            cause = error.strerror or str(error)
            return cls(
                display_path(path), UNREADABLE, f"It cannot be read: {cause}. Check the file and its permissions."
            )
        return cls(
            display_path(path),
            "INTERNAL",
            f"Segue met an unexpected error ({type(error).__name__}: {error}). Leave the file out, and report the "
            "error with the file.",
        )


def examine(path: Path, config: FeatureConfig, max_windows: int) -> Examined | Failure:
    """Decodes what the model needs of a file, and reads its tags.

    Args:
        path: the file.
        config: settings of the model's front end.
        max_windows: largest number of windows that the model takes of a track.

    Raises:
        MemoryError: there is not enough memory for the file.
    """
    try:
        clip = extract(path, config, max_windows)
        return Examined(_track_id(path), clip.windows, clip.seconds, read_tags(path))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a file that breaks a decoder fails alone
        return Failure.from_error(path, error)


def _track_id(path: Path) -> str:
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        return track_id(data)
