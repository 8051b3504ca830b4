"""A track's id: it comes from the audio itself, so that a renamed or re-tagged file stays the same track.

The ids stand in every catalogue, so what is hashed here never changes; a test holds ids to compare with.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segue.core.audio.containers import iff_chunks, iso_boxes, ogg_bodies, riff_chunks

_FLAC_STREAMINFO = 34
# A file has one or two; bytes made of nothing but tags must not keep a processor busy.
_MOST_TAGS = 100

# What is audio in a file of chunks: the chunks that say how to decode, and the samples.
_CHUNKED = {
    (b"RIFF", b"WAVE"): (b"segue:wav", riff_chunks, {b"fmt ", b"data"}),
    (b"FORM", b"AIFF"): (b"segue:aiff", iff_chunks, {b"COMM", b"SSND"}),
    (b"FORM", b"AIFC"): (b"segue:aiff", iff_chunks, {b"COMM", b"SSND"}),
}


class _Audio(NamedTuple):
    """The runs of bytes that are a file's audio; ``kind`` keeps equal bytes of different formats apart."""

    kind: bytes
    parts: Iterable[memoryview]


def track_id(data: memoryview) -> str:
    """The id of a whole audio file.

    Args:
        data: all bytes of the file. Bytes that are no audio, or damaged, have an id too.

    Returns:
        32 lower-case hexadecimal digits: for FLAC of the digest that it holds of its own samples, else of the encoded
        audio without the tags.
    """
    kind, parts = _audio(data)
    found = _digest(kind, parts)
    # A file in which no audio is found is what its bytes are.
    return found if found is not None else str(_digest(b"segue:bytes", [data, memoryview(b"\0")]))


def _digest(kind: bytes, parts: Iterable[memoryview]) -> str | None:
    """The digest of the parts joined, or None where they hold no byte."""
    digest = hashlib.blake2b(digest_size=16, person=kind)
    length = 0
    for part in parts:
        digest.update(part)
        length += len(part)
    return digest.hexdigest() if length else None


def _audio(data: memoryview) -> _Audio:
    body = data[_behind_id3(data) :]
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
    return _Audio(b"segue:stream", [body[: _before_tags(body)]])


def _flac(body: memoryview) -> _Audio:
    """The samples' own MD5 with their rate, channels, width and number; else the frames."""
    info = body[8 : 8 + _FLAC_STREAMINFO]
    if len(info) == _FLAC_STREAMINFO and body[4] & 0x7F == 0 and any(info[18:]):
        return _Audio(b"segue:flac-md5", [info[10:]])
    return _Audio(b"segue:flac", [body[_behind_flac_metadata(body) :]])


def _behind_flac_metadata(body: memoryview) -> int:
    position, last = 4, False
    while not last and position + 4 <= len(body):
        last = bool(body[position] & 0x80)
        position += 4 + int.from_bytes(body[position + 1 : position + 4], "big")
    return position


def _ogg(body: memoryview) -> Iterator[memoryview]:
    """The first page, which says how to decode, and every page of audio; the headers between hold the tags."""
    audio = False
    for number, (granule, page) in enumerate(ogg_bodies(body)):
        # Headers end on pages of position 0. Long ones begin on pages of position -1, but so do long packets of audio.
        if granule != -1:
            audio = granule != 0
        if audio or number == 0:
            yield page


def _au(body: memoryview) -> _Audio:
    """Encoding, rate and channels, then the samples; the text between them is the tag."""
    (offset,) = struct.unpack_from(">I", body, 4)
    return _Audio(b"segue:au", [body[12:24], body[offset:]])


def _behind_id3(data: memoryview) -> int:
    """Where the ID3v2 tags at the start end."""
    position = 0
    for _ in range(_MOST_TAGS):
        if bytes(data[position : position + 3]) != b"ID3" or position + 10 > len(data):
            break
        footer = 10 if data[position + 5] & 0x10 else 0
        size = 0
        for byte in data[position + 6 : position + 10]:
            size = size << 7 | byte & 0x7F
        position += 10 + size + footer
    return position


def _before_tags(data: memoryview) -> int:
    """Where the ID3v1, APEv2 and Lyrics3 tags at the end begin."""
    stop = len(data)
    for _ in range(_MOST_TAGS):
        length = _tag_length(data[:stop])
        if length == 0 or length > stop:
            break
        stop -= length
    return stop


def _tag_length(data: memoryview) -> int:
    """The length of the tag that the bytes end with, 0 where there is none."""
    if bytes(data[-128:-125]) == b"TAG":
        return 128
    if bytes(data[-32:-24]) == b"APETAGEX":
        size, _, flags = struct.unpack_from("<III", data, len(data) - 20)
        return int(size) + (32 if flags & 0x80000000 else 0)
    digits = bytes(data[-15:-9])
    if bytes(data[-9:]) == b"LYRICS200" and digits.isdigit():
        return int(digits) + 15
    return 0
