"""The audio of a request: bytes, a file by its path, or an open file; and the file of a track."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from segue.client.errors import AudioTooLongError, AudioUnreadableError
from segue.v1.audio_pb2 import Audio
from segue.v1.track_pb2 import Track

AudioSource: TypeAlias = bytes | os.PathLike[str] | BinaryIO
"""The bytes of a whole audio file, its path, or a file or pipe that is open for reading bytes."""

MAX_AUDIO_BYTES = 16 * 1024 * 1024
"""Size limit of the audio of one message, in bytes; a larger clip is sent in chunks."""

_CHUNK_BYTES = 2**18
# A clip is sent at two megabits per second, or faster.
_BYTES_PER_SECOND = 2**18
_LONGEST_STREAM_SECONDS = 4 * 3600.0


@dataclass(frozen=True)
class Clip:
    """An open clip.

    Attributes:
        name: its name in messages.
        head: its first bytes, up to one more than MAX_AUDIO_BYTES; or all of them.
        rest: the file, after these bytes, or None if there are no more.
        path: the path of a file that can be read again, or None.
    """

    name: str
    head: bytes
    rest: BinaryIO | None = None
    path: Path | None = None

    @property
    def is_large(self) -> bool:
        """True if the clip does not fit into one message."""
        return len(self.head) > MAX_AUDIO_BYTES

    @property
    def is_repeatable(self) -> bool:
        """True if the clip can be sent again."""
        return self.path is not None or self.rest is None

    @property
    def upload_seconds(self) -> float:
        """The longest time in seconds that sending it may take."""
        if self.path is not None:
            return self.path.stat().st_size / _BYTES_PER_SECOND
        return _LONGEST_STREAM_SECONDS if self.rest else len(self.head) / _BYTES_PER_SECOND

    def message(self) -> Audio:
        """Returns the clip as one message.

        Raises:
            AudioTooLongError: it has more than MAX_AUDIO_BYTES.
        """
        if not self.is_large:
            return Audio(content=self.head)
        raise AudioTooLongError(
            f"{self.name} is larger than 16 MiB, the limit of one message: call `recommend`, which sends it in chunks.",
            metadata={"limit_bytes": str(MAX_AUDIO_BYTES)},
            field="audio.content",
        )

    def chunks(self) -> Iterator[bytes]:
        """Yields the clip in chunks.

        Raises:
            AudioUnreadableError: the file cannot be read.
        """
        for start in range(0, len(self.head), _CHUNK_BYTES):
            yield self.head[start : start + _CHUNK_BYTES]
        if self.path is not None:
            # A thread of gRPC may still read for a call that failed, so this one has a file of its own.
            with _open(self.path) as file:
                file.seek(len(self.head))
                yield from self._chunks_of(file)
        elif self.rest:
            yield from self._chunks_of(self.rest)

    def close(self) -> None:
        """Closes the file, unless the caller opened it."""
        if self.path is not None and self.rest:
            self.rest.close()

    def _chunks_of(self, file: BinaryIO) -> Iterator[bytes]:
        while chunk := _read(file, _CHUNK_BYTES, self.name):
            yield chunk


def open_clip(source: AudioSource) -> Clip:
    """Opens a clip; the caller closes it.

    Raises:
        AudioUnreadableError: the file cannot be read.
        TypeError: the source is neither bytes nor a path nor an open file.
    """
    if isinstance(source, bytes):
        return Clip("The audio", source)
    if isinstance(source, os.PathLike):
        return _open_path(Path(source))
    if not hasattr(source, "read"):
        raise TypeError(f"audio is bytes, a path such as pathlib.Path or an open file, not {type(source).__name__}")
    name = "Standard input" if getattr(source, "name", "") == "<stdin>" else "The audio"
    return Clip(name, _read(source, MAX_AUDIO_BYTES + 1, name), source)


def audio_message(source: AudioSource) -> Audio:
    """Reads the audio of a request of one message.

    Raises:
        AudioTooLongError: there are more than MAX_AUDIO_BYTES.
        AudioUnreadableError: the file cannot be read.
        TypeError: the source is neither bytes nor a path nor an open file.
    """
    clip = open_clip(source)
    try:
        return clip.message()
    finally:
        clip.close()


def path_of(track: Track) -> Path:
    """Returns the path of a track's file on the indexer's machine, to be opened there, also if it is not UTF-8."""
    return Path(os.fsdecode(track.raw_path or track.path.encode()))


def _open_path(path: Path) -> Clip:
    file = _open(path)
    try:
        head = _read(file, MAX_AUDIO_BYTES + 1, str(path))
    except AudioUnreadableError:
        file.close()
        raise
    # A pipe that has a path can be read only once.
    return Clip(str(path), head, file, path if path.is_file() else None)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise AudioUnreadableError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read(file: BinaryIO, size: int, name: str) -> bytes:
    """Reads up to ``size`` bytes; fewer only at the end."""
    try:
        return file.read(size)
    except OSError as error:
        raise AudioUnreadableError(f"{name} cannot be read: {error.strerror or error}.") from error
