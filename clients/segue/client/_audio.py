"""The audio of a request, read from memory or from a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from segue.client.errors import AudioTooLongError, AudioUnreadableError
from segue.v1.audio_pb2 import Audio

AudioSource: TypeAlias = bytes | os.PathLike[str]
"""The bytes of a whole audio file, or its path."""

MAX_AUDIO_BYTES = 16 * 1024 * 1024
"""Size limit of the audio of one call, in bytes."""


def audio_message(source: AudioSource) -> Audio:
    """Reads the audio of a request.

    Raises:
        AudioTooLongError: there are more than MAX_AUDIO_BYTES.
        AudioUnreadableError: the file cannot be read.
        TypeError: the source is neither bytes nor a path.
    """
    content = source if isinstance(source, bytes) else _read_file(source)
    if len(content) <= MAX_AUDIO_BYTES:
        return Audio(content=content)
    name = "The audio" if isinstance(source, bytes) else os.fspath(source)
    raise AudioTooLongError(
        f"{name} is larger than 16 MiB, the limit of one call: "
        "send an excerpt, or a compressed file such as FLAC, Ogg or MP3.",
        metadata={"limit_bytes": str(MAX_AUDIO_BYTES)},
        field="audio.content",
    )


def _read_file(path: os.PathLike[str]) -> bytes:
    """Reads at most one byte more than the limit, which is enough to find that a file exceeds it."""
    if not isinstance(path, os.PathLike):
        raise TypeError(f"audio is bytes or a path such as pathlib.Path, not {type(path).__name__}")
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_AUDIO_BYTES + 1)
    except OSError as error:
        raise AudioUnreadableError(f"{os.fspath(path)} cannot be read: {error.strerror or error}.") from error
