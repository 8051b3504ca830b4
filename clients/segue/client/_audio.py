"""The audio of a request: bytes, a file by its path, or an open file; and the file of a track."""

from __future__ import annotations

import asyncio
import os
import select
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from segue.client.errors import AudioTooLongError, AudioUnreadableError
from segue.core.audio.containers import FileBytes
from segue.core.audio.track_id import track_id
from segue.v1.audio_pb2 import Audio
from segue.v1.track_pb2 import Track

AudioSource: TypeAlias = bytes | os.PathLike[str] | BinaryIO
"""The bytes of a whole audio file, its path, or a file or pipe that is open for reading bytes."""

MAX_AUDIO_BYTES = 16 * 1024 * 1024
"""Size limit of the audio of one message, in bytes; a larger clip is sent in chunks."""

PIPE_SECONDS = 60.0
"""Time in which a program must begin to write into a pipe that has a path, in seconds."""

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
        is_regular: True if ``rest`` is a file that can be read at any position, False for a pipe.
        is_owned: True if ``close`` closes ``rest``, False if the caller opened it.
    """

    name: str
    head: bytes
    rest: BinaryIO | None = None
    is_regular: bool = False
    is_owned: bool = False

    @property
    def is_large(self) -> bool:
        """True if the clip does not fit into one message."""
        return len(self.head) > MAX_AUDIO_BYTES

    @property
    def is_repeatable(self) -> bool:
        """True if the clip can be sent again."""
        return self.is_regular or self.rest is None

    @property
    def upload_seconds(self) -> float:
        """The longest time in seconds that sending it may take."""
        if self.rest is None:
            return len(self.head) / _BYTES_PER_SECOND
        return os.fstat(self.rest.fileno()).st_size / _BYTES_PER_SECOND if self.is_regular else _LONGEST_STREAM_SECONDS

    def message(self) -> Audio:
        """Returns the clip as one message.

        Raises:
            AudioTooLongError: it has more than MAX_AUDIO_BYTES.
        """
        if not self.is_large:
            return Audio(content=self.head)
        raise AudioTooLongError(
            f"{self.name} is larger than 16 MiB, the limit of one message: "
            "call `classify` or `recommend`, which send it in chunks.",
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
        position = len(self.head)
        while self.rest and (chunk := self._chunk(self.rest, position)):
            yield chunk
            position += len(chunk)

    async def async_chunks(self) -> AsyncIterator[bytes]:
        """Yields the clip in chunks, which are read in threads; see ``chunks``."""
        chunks = self.chunks()
        while chunk := await asyncio.to_thread(next, chunks, b""):
            yield chunk

    def track_id(self) -> str | None:
        """Returns the track id of a file, or None for other clips.

        Raises:
            AudioUnreadableError: the file cannot be read.
        """
        if not self.rest or not self.is_regular:
            return None
        try:
            return track_id(FileBytes(self.rest.fileno()))
        except OSError as error:
            raise _unreadable(self.name, error) from error

    def close(self) -> None:
        """Closes the file, unless the caller opened it."""
        if self.rest and self.is_owned:
            self.rest.close()

    def _chunk(self, rest: BinaryIO, position: int) -> bytes:
        if not self.is_regular:
            return _read(rest, _CHUNK_BYTES, self.name)
        try:
            # A thread of gRPC may still read for a call that failed; they do not share a position.
            return os.pread(rest.fileno(), _CHUNK_BYTES, position)
        except OSError as error:
            raise _unreadable(self.name, error) from error


def open_clip(source: AudioSource, pipe_seconds: float = PIPE_SECONDS) -> Clip:
    """Opens a clip; the caller closes it.

    Args:
        source: the clip.
        pipe_seconds: seconds to wait until a program writes into a pipe that has a path. A pipe that is open already
            is read without limit.

    Raises:
        AudioUnreadableError: the file cannot be read.
        TypeError: the source is neither bytes nor a path nor an open file.
    """
    if isinstance(source, bytes):
        return Clip("The audio", source)
    if isinstance(source, os.PathLike):
        return _open_path(Path(source), pipe_seconds)
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


def _open_path(path: Path, pipe_seconds: float) -> Clip:
    try:
        file = _open_at_once(path)
    except OSError as error:
        raise _unreadable(str(path), error) from error
    try:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISFIFO(mode):
            _wait_for_writer(file, path, pipe_seconds)
        os.set_blocking(file.fileno(), True)
        # A pipe that has a path can be read only once.
        is_regular = stat.S_ISREG(mode)
        return Clip(str(path), _read(file, MAX_AUDIO_BYTES + 1, str(path)), file, is_regular, is_owned=True)
    except BaseException:
        file.close()
        raise


def _open_at_once(path: Path) -> BinaryIO:
    """Opens a file without waiting: a pipe that nothing writes would block this thread for ever."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def _wait_for_writer(pipe: BinaryIO, path: Path, seconds: float) -> None:
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    if not waiting.poll(1000 * seconds):
        raise AudioUnreadableError(
            f"{path} is a pipe, and no program wrote into it for {seconds:g} s. Start the program that writes it."
        )


def _read(file: BinaryIO, size: int, name: str) -> bytes:
    """Reads ``size`` bytes; fewer only at the end. A pipe without a buffer returns what is there."""
    parts, missing = [], size
    try:
        while missing and (part := file.read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
    except OSError as error:
        raise _unreadable(name, error) from error
    except TypeError as error:
        raise TypeError(f"{name} is not open for reading bytes") from error


def _unreadable(name: str, error: OSError) -> AudioUnreadableError:
    return AudioUnreadableError(f"{name} cannot be read: {error.strerror or error}.")
