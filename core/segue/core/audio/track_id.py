"""Computes a track's id from its audio, so that a file with a new name or new tags stays the same track.

Every catalogue has these ids, so the hashed bytes must never change. A test compares them with known ids.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from segue.core.audio.containers import (
    Bytes,
    FileBytes,
    id3_end,
    iff_chunks,
    iso_boxes,
    ogg_pages,
    riff_chunks,
    tags_start,
)

_FLAC_STREAMINFO = 34
_BLOCK_BYTES = 2**20

# The chunks that are hashed: those with the format, and those with the samples.
_CHUNKED = {
    (b"RIFF", b"WAVE"): (b"segue:wav", riff_chunks, {b"fmt ", b"data"}),
    (b"FORM", b"AIFF"): (b"segue:aiff", iff_chunks, {b"COMM", b"SSND"}),
    (b"FORM", b"AIFC"): (b"segue:aiff", iff_chunks, {b"COMM", b"SSND"}),
}


class _Audio(NamedTuple):
    """The bytes of a file that are audio.

    Attributes:
        kind: key of the hash, so that equal bytes of different formats have different ids.
        parts: the bytes.
    """

    kind: bytes
    parts: Iterable[Bytes]


def track_id(data: Bytes) -> str:
    """Returns the id of a whole audio file.

    Args:
        data: all bytes of the file. Damaged files and other bytes have an id, too.

    Returns:
        32 lower-case hexadecimal digits. For FLAC they are a digest of the MD5 of its samples, which the file contains,
        for other formats a digest of the encoded audio without tags.

    Raises:
        OSError: the file cannot be read.
    """
    kind, parts = _audio(data)
    digest = _digest(kind, parts)
    # A file without audio is identified by all of its bytes.
    return digest if digest is not None else str(_digest(b"segue:bytes", [data, memoryview(b"\0")]))


def file_track_id(path: Path) -> str:
    """Returns the id of an audio file, as ``track_id`` does, in little memory.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return track_id(FileBytes(file.fileno()))


def _digest(kind: bytes, parts: Iterable[Bytes]) -> str | None:
    """Returns the digest of the joined parts, or None if they have no bytes."""
    digest = hashlib.blake2b(digest_size=16, person=kind)
    length = 0
    for part in parts:
        length += len(part)
        for start in range(0, len(part), _BLOCK_BYTES):
            digest.update(bytes(part[start : start + _BLOCK_BYTES]))
    return digest.hexdigest() if length else None


def _audio(data: Bytes) -> _Audio:
    body = data[id3_end(data) :]
    magic, form = bytes(body[:4]), bytes(body[8:12])
    if magic == b"fLaC":
        return _flac(body)
    if magic == b"OggS":
        return _Audio(b"segue:ogg", _ogg(body))
    if (magic, form) in _CHUNKED:
        kind, chunks, names = _CHUNKED[magic, form]
        return _Audio(kind, (body[chunk.start : chunk.stop] for chunk in chunks(body) if chunk.name in names))
    if magic == b".snd" and len(body) >= 24:
        return _au(body)
    if bytes(body[4:8]) == b"ftyp":
        return _Audio(b"segue:mp4", (body[box.start : box.stop] for box in iso_boxes(body) if box.name == b"mdat"))
    return _Audio(b"segue:stream", [body[: tags_start(body)]])


def _flac(body: Bytes) -> _Audio:
    """Returns the MD5 of the samples with their rate, channels, width and number, or else the frames."""
    info = body[8 : 8 + _FLAC_STREAMINFO]
    if len(info) == _FLAC_STREAMINFO and body[4] & 0x7F == 0 and any(info[18:]):
        return _Audio(b"segue:flac-md5", [info[10:]])
    return _Audio(b"segue:flac", [body[_flac_metadata_end(body) :]])


def _flac_metadata_end(body: Bytes) -> int:
    position, is_last = 4, False
    while not is_last and position + 4 <= len(body):
        is_last = bool(body[position] & 0x80)
        position += 4 + int.from_bytes(bytes(body[position + 1 : position + 4]), "big")
    return position


def _ogg(body: Bytes) -> Iterator[Bytes]:
    """Yields the first page, which has the format, and every page of audio; the headers between them have the tags."""
    is_audio = False
    for number, page in enumerate(ogg_pages(body)):
        # Headers end on pages with position 0. Long ones begin on pages with position -1, as do long packets of audio.
        if page.granule != -1:
            is_audio = page.granule != 0
        if is_audio or number == 0:
            yield page.body


def _au(body: Bytes) -> _Audio:
    """Returns encoding, rate and channels, and the samples; the text between them is a tag."""
    (offset,) = struct.unpack(">I", bytes(body[4:8]))
    return _Audio(b"segue:au", [body[12:24], body[offset:]])
