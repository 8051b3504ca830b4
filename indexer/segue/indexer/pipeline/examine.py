"""The work on one file: from its bytes to what the network and the catalogue need of it.

``examine`` is a pure function of the file's bytes and the settings, and what goes in and out of it can be sent to
another process or another machine, so that any executor can run it.
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
"""The reason of a file that the system does not let us read."""

# What a file is said to have outgrown, and the option that gives it more.
_OUTGROWN: dict[type[SegueError], tuple[str, str]] = {
    WorkerTimedOut: ("FILE_TIMED_OUT", "--file-seconds N"),
    WorkerOutOfMemory: ("FILE_TOO_MUCH_MEMORY", "--file-memory MIB"),
}


@dataclass(frozen=True)
class Examined:
    """What was found in a file.

    Attributes:
        track_id: the id of its audio.
        windows: what the network is to hear of it.
        seconds: how long it plays.
        tags: the words on it.
    """

    track_id: str
    windows: Windows
    seconds: float
    tags: Tags


@dataclass(frozen=True)
class Failure:
    """A file or folder that could not be indexed.

    Attributes:
        path: which.
        reason: the machine-readable name of what was wrong, upper snake case.
        message: a sentence for a person.
    """

    path: str
    reason: str
    message: str

    @classmethod
    def of(cls, path: Path, error: Exception) -> Failure:
        """The failure that an exception means for a file."""
        if isinstance(error, WorkerTimedOut | WorkerOutOfMemory):
            reason, option = _OUTGROWN[type(error)]
            advice = f"Leave it out, or give it more: segue-indexer retry --reason {reason} {option}."
            return cls(display_path(path), reason, f"{error} {advice}")
        if isinstance(error, SegueError):
            return cls(display_path(path), error.reason, str(error))
        if isinstance(error, OSError):
            why = error.strerror or str(error)
            return cls(display_path(path), UNREADABLE, f"It cannot be read: {why}. Check the file and its permissions.")
        return cls(
            display_path(path),
            "INTERNAL",
            f"Segue stumbled over it ({type(error).__name__}: {error}). Leave it out, and report it with the file.",
        )


def examine(path: Path, config: FeatureConfig, max_windows: int) -> Examined | Failure:
    """Decodes what is needed of a file, and reads its tags.

    Args:
        path: the file.
        config: the settings of the network's front end.
        max_windows: the most windows that the network takes of a track.

    Raises:
        MemoryError: there is not enough memory for it.
    """
    try:
        piece = extract(path, config, max_windows)
        return Examined(_identify(path), piece.windows, piece.seconds, read_tags(path))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a file does to a decoder, it costs that file only
        return Failure.of(path, error)


def _identify(path: Path) -> str:
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        return track_id(data)
