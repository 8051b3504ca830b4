"""The bytes of one clip, as the decoders need them, with false lengths in its header put right."""

from __future__ import annotations

import errno
import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segue.core.audio.containers import id3_end, is_tag, tags_start
from segue.core.audio.declared_length import declared_seconds, missing_share
from segue.core.audio.decoders.header_repair import is_read_from_memory, repairs
from segue.core.audio.decoders.program import ProgramInput, inherited, program_input
from segue.core.audio.mp3_frames import gaps, has_one_rate, is_mpeg_audio
from segue.core.audio.sniff import has_last_page, is_cut_in_fragment, is_ogg, lacks_pages
from segue.core.errors import AudioUndecodable
from segue.core.files import temporary_file

# Encoders may round their lengths, and players do not notice less.
_MISSING_SECONDS = 1.0
_GAP_SECONDS = 0.01


class _ViewFile(io.RawIOBase):
    """Bytes as a file, with some replaced.

    Unlike a map, it may be positioned beyond its end, as libsndfile does with some headers.
    """

    def __init__(self, view: memoryview, start: int = 0, patches: dict[int, bytes] | None = None) -> None:
        # A slice would keep a map from being closed for as long as an error refers to this file.
        self._view = view
        self._start = start
        self._patches = patches or {}
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        length = len(self._view) - self._start
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        position = self._start + self._position
        part = self._view[position : position + len(buffer)]
        target = memoryview(buffer).cast("B")[: len(part)]
        target[:] = part
        _apply(self._patches, target, position)
        self._position += len(part)
        return len(part)


@dataclass(frozen=True)
class ClipFile:
    """An open clip.

    Attributes:
        view: its bytes, repaired.
        file: the same bytes as a file for libsndfile: a descriptor, or an object to read from.
        path: the path of the unrepaired file, or None if the bytes came without a file.
        missing_share: audio that the header promises beyond the end of the file, relative to the audio that is there.
    """

    view: memoryview
    file: int | io.BytesIO | _ViewFile
    path: Path | None
    missing_share: float

    @cached_property
    def is_mpeg_audio(self) -> bool:
        """True if it mostly consists of frames of MP3, MP2 or MP1; decoders find such frames in many other files."""
        return is_mpeg_audio(self._untagged)

    @cached_property
    def has_one_rate(self) -> bool:
        """False if it consists of MPEG audio files of different sample rates, which were joined."""
        return not self.is_mpeg_audio or has_one_rate(self._untagged)

    @property
    def _untagged(self) -> memoryview:
        return self.view[id3_end(self.view) : tags_start(self.view)]

    def rewind(self) -> int | io.BytesIO | _ViewFile:
        """Returns ``file``, at its start."""
        if isinstance(self.file, int):
            os.lseek(self.file, 0, os.SEEK_SET)
        else:
            self.file.seek(0)
        return self.file

    def file_from(self, start: int) -> _ViewFile:
        """Returns the bytes from ``start`` on as a file."""
        return _ViewFile(self.view, start)

    def check_size(self) -> None:
        """Checks that the file is as long as it was when it was opened: reading a lost page would kill the process.

        Raises:
            OSError: it became shorter.
        """
        if self.path is not None and self.path.stat().st_size < len(self.view):
            raise OSError(errno.EIO, "The file became shorter while it was read", str(self.path))

    @contextmanager
    def as_path(self) -> Iterator[ProgramInput]:
        """Gives the clip a path, for a program that has to seek: an MP4 file may have its index at the end.

        Bytes that came without a file are written to a temporary one.

        Raises:
            OSError: the file cannot be read, or the temporary one not be written.
        """
        if self.path is not None:
            with program_input(self.path) as source:
                yield source
            return
        with temporary_file() as temporary:
            temporary.path.write_bytes(self.view)
            yield inherited(temporary.file.fileno())

    def is_truncated(self, seconds: float) -> bool:
        """Returns whether the file was cut off.

        Args:
            seconds: duration of the audio that could be decoded.
        """
        if is_ogg(self.view):
            return not has_last_page(self.view)
        return self.missing_seconds(seconds) > _MISSING_SECONDS or is_cut_in_fragment(self.view)

    def missing_seconds(self, seconds: float) -> float:
        """Returns the seconds of audio that the header declares and that are not there; 0 if none or unknown.

        Args:
            seconds: duration of the audio that could be decoded.
        """
        missing = max(declared_seconds(self.view) - seconds, seconds * self.missing_share)
        return missing if missing > _GAP_SECONDS else 0.0

    @cached_property
    def lacks_pages(self) -> bool:
        """True if it is an Ogg file with missing or damaged pages."""
        return is_ogg(self.view) and lacks_pages(self.view)

    @property
    def lacks_frames(self) -> bool:
        """True if it is MPEG audio with more between its frames than the tags of joined files."""
        return any(not is_tag(gap) for gap in gaps(self._untagged))

    def has_gaps(self, seconds: float) -> bool:
        """Returns whether audio is missing, in a file in which a decoder met damage.

        Args:
            seconds: duration of the audio that another decoder found.
        """
        if is_ogg(self.view):
            return self.lacks_pages
        if not self.has_one_rate:
            return self.lacks_frames  # the decoder met the other rate, which is no damage
        declared = declared_seconds(self.view)
        return not declared or declared - seconds > _GAP_SECONDS


@contextmanager
def open_clip_file(audio: Path | bytes, *, is_whole: bool = True) -> Iterator[ClipFile]:
    """Opens a clip.

    Args:
        audio: a file, or its bytes. The file itself is never changed.
        is_whole: False if more bytes will come.

    Raises:
        AudioUndecodable: it is empty.
        OSError: the file cannot be read.
    """
    if isinstance(audio, bytes):
        yield _clip_of_bytes(audio, is_whole=is_whole)
        return
    with audio.open("rb") as file:
        if audio.stat().st_size == 0:
            raise AudioUndecodable("The file is empty. Send a whole audio file.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            share, patches = missing_share(view), repairs(view, is_whole=is_whole)
            if not patches:
                # A descriptor is fast. A path would not do: libsndfile would trust its suffix, and it may not be text.
                yield ClipFile(view, file.fileno(), audio, share)
                return
            if not is_read_from_memory(view):
                yield ClipFile(view, _ViewFile(view, patches=patches), audio, share)
                return
        # The change is in this process's copy of a page, not in the file. The copy counts as memory, all of it.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped, memoryview(mapped) as view:
            _apply(patches, view)
            yield ClipFile(view, _ViewFile(view), audio, share)


def _clip_of_bytes(audio: bytes, *, is_whole: bool) -> ClipFile:
    if not audio:
        raise AudioUndecodable("There are no bytes. Send a whole audio file.")
    view = memoryview(audio)
    share, patches = missing_share(view), repairs(view, is_whole=is_whole)
    if patches:
        content = bytearray(audio)
        _apply(patches, memoryview(content))
        audio = bytes(content)
    return ClipFile(memoryview(audio), io.BytesIO(audio), None, share)


def _apply(patches: dict[int, bytes], view: memoryview, start: int = 0) -> None:
    """Writes the patches into the bytes of a file from ``start`` on, as far as they are there."""
    for position, value in patches.items():
        first, last = max(position, start), min(position + len(value), start + len(view))
        if first < last:
            view[first - start : last - start] = value[first - position : last - position]
