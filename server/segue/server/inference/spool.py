"""Disk space for the clips of streams while they arrive, so that no stream needs memory for its clip."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from segue.core.errors import AudioTooLong, EnvironmentUnusable, Overloaded, SegueError
from segue.core.files import TemporaryFile, temporary_file

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Spool:
    """Disk space that all streams of a server share.

    Attributes:
        used_bytes: size of all clips that are there now.
    """

    def __init__(self, folder: Path | None, max_bytes: int, max_clip_bytes: int, *, is_named: bool = False) -> None:
        """Creates an empty spool.

        Args:
            folder: folder of the clips, or None for the system's temporary folder.
            max_bytes: largest size of all clips together.
            max_clip_bytes: largest size of one clip.
            is_named: True if each clip has a name in the folder, where workers cannot open it otherwise.
        """
        self._folder = folder
        self._is_named = is_named
        self._max_bytes = max_bytes
        self._max_clip_bytes = min(max_clip_bytes, max_bytes)
        self.used_bytes = 0

    @contextmanager
    def open(self) -> Iterator[SpooledClip]:
        """Opens an empty clip, which is removed at the end of the block.

        Raises:
            Overloaded: the disk is full.
            EnvironmentUnusable: the folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                temporary = stack.enter_context(temporary_file(self._folder, is_named=self._is_named))
            except OSError as error:
                raise storage_error(error) from error
            clip = SpooledClip(self, temporary)
            try:
                yield clip
            finally:
                self.used_bytes -= clip.received

    def reserve(self, size: int, clip_size: int) -> None:
        """Reserves space for the next bytes of a clip.

        Args:
            size: number of bytes.
            clip_size: size of the clip with these bytes.

        Raises:
            AudioTooLong: the clip is larger than the limit.
            Overloaded: the spool is full.
        """
        if clip_size > self._max_clip_bytes:
            limit = self._max_clip_bytes
            raise AudioTooLong(
                f"The clip has more than {limit:,} bytes, this server's limit. Send a shorter or a compressed one.",
                limit_bytes=limit,
            )
        if self.used_bytes + size > self._max_bytes:
            raise Overloaded("The streams of other callers fill the space for clips. Try again in a few seconds.")
        self.used_bytes += size


class SpooledClip:
    """A clip that is written while it arrives, and read by worker processes.

    Attributes:
        path: a path by which workers can open the clip.
        received: number of bytes of the caller so far.
        size: number of bytes in the file, with its header.
    """

    def __init__(self, spool: Spool, temporary: TemporaryFile) -> None:
        self._spool = spool
        self._file = temporary.file
        self.path = temporary.path
        self.received = 0
        self.size = 0

    async def append(self, chunk: bytes, header: bytes = b"") -> None:
        """Appends the next bytes.

        Args:
            chunk: the bytes of the caller.
            header: bytes to write before them. The caller did not send them, so no limit counts them.

        Raises:
            AudioTooLong: the clip is larger than the limit.
            Overloaded: the spool or its disk is full.
        """
        self._spool.reserve(len(chunk), self.received + len(chunk))
        content = header + chunk if header else chunk
        self.received += len(chunk)
        position, self.size = self.size, self.size + len(content)
        await self._write(position, content)

    async def replace_start(self, header: bytes) -> None:
        """Replaces as many of the first bytes as ``header`` has."""
        await self._write(0, header)

    async def _write(self, position: int, content: bytes) -> None:
        try:
            # A disk may be slow, and the event loop serves all other calls.
            writing = asyncio.ensure_future(asyncio.to_thread(self._write_now, position, content))
            try:
                await asyncio.shield(writing)
            finally:
                # Of a call that was cancelled, the file is closed only now: its descriptor may be another file's then.
                await asyncio.wait({writing})
        except OSError as error:
            raise storage_error(error) from error

    def _write_now(self, position: int, content: bytes) -> None:
        self._file.seek(position)
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]


def storage_error(error: OSError) -> SegueError:
    """Returns the error of a caller whose clip cannot be stored."""
    if error.errno in FULL_DISK:
        return Overloaded("The server's disk is full. Try again later, or send a clip that fits into one message.")
    return EnvironmentUnusable(f"A clip cannot be stored: {error.strerror}. Name another folder with --spool.")
