"""Examines one file: decodes what the model needs of it, and reads its tags.

``examine`` is a pure function of the file's bytes and the settings. Its arguments and results can be sent to another
process or machine, so any executor can run it.
"""

from __future__ import annotations

import errno
from pathlib import Path

from segue.core.audio.track_id import file_track_id
from segue.core.errors import EnvironmentUnusable, WorkerDied
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.fingerprint import fingerprint
from segue.core.features.trial_clip import trial_clip
from segue.indexer.pipeline.records import Examined, Failure, MusicFile, SameAudio
from segue.indexer.pipeline.tags import read_tags

_BLOCK_BYTES = 2**20
# The disk of the temporary folder is full, or a limit on open files is reached: no file is at fault.
_ENVIRONMENT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}


def examine(path: Path, config: FeatureConfig, max_windows: int) -> Examined | Failure:
    """Decodes what the model needs of a file, and reads its tags.

    Args:
        path: the file.
        config: settings of the model's front end.
        max_windows: largest number of windows that the model takes of a track.

    Raises:
        MemoryError: there is not enough memory for the file.
        WorkerDied: a decoder was killed; the file may be fine.
        EnvironmentUnusable: the machine lacks room on its disk, or open files.
    """
    try:
        _check_readable(path)
        clip = extract(path, config, max_windows)
        tags, found = read_tags(path), fingerprint(clip.windows, config)
        return Examined(file_track_id(path), clip.windows, clip.seconds, tags, found)
    except (MemoryError, WorkerDied, EnvironmentUnusable):
        raise
    except Exception as error:  # noqa: BLE001 - a file that breaks a decoder fails alone
        _check_environment(path, error)
        return Failure.from_error(path, error)


def examine_file(file: MusicFile, config: FeatureConfig, max_windows: int) -> Examined | SameAudio | Failure:
    """Reads the tags of a file that has the expected audio, and else examines it.

    Args and errors are those of ``examine``.
    """
    try:
        if file.expected_id and _has_audio(file.path, file.expected_id):
            return SameAudio(read_tags(file.path))
    except (OSError, ValueError) as error:  # it cannot be read, or is empty now
        _check_environment(file.path, error)
        return Failure.from_error(file.path, error)
    return examine(file.path, config, max_windows)


def _has_audio(path: Path, expected_id: str) -> bool:
    _check_readable(path)
    return file_track_id(path) == expected_id


def _check_environment(path: Path, error: Exception) -> None:
    """Raises ``EnvironmentUnusable`` if the error is no fault of the file."""
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT_ERRORS:
        raise EnvironmentUnusable(
            f"Decoding {path} needs what this machine lacks: {error.strerror}. Make room in the temporary folder, or "
            "raise the limit; then run the same command again."
        ) from error


def try_decoding(config: FeatureConfig) -> None:
    """Decodes a short clip of noise, to find out whether this process can decode on this machine.

    Raises:
        Exception: it cannot.
    """
    extract(trial_clip(config), config, max_windows=1)


def _check_readable(path: Path) -> None:
    """Reads a file to its end.

    A disk that fails raises an error here. In a decoder it would look like the end of the file, and in a mapped page it
    would kill the process.

    Raises:
        OSError: a part of the file cannot be read.
    """
    buffer = bytearray(_BLOCK_BYTES)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
