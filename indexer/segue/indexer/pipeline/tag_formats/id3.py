"""Reads ID3 tags frame by frame, so that a broken frame or a wrong size costs no other frame.

The text frames of a tag are copied to a plain new tag, which tinytag decodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from segue.core.audio.containers import tags_start
from segue.indexer.pipeline.tag_formats.fields import TagFields
from segue.indexer.pipeline.tag_formats.id3_frames import HEADER_BYTES, TextFrame, synchsafe, text_frames
from segue.indexer.pipeline.tag_formats.library import read_by_tinytag

_HEADER = re.compile(rb"ID3[\2-\4]\0[\0-\xff]{5}")
_FOOTER = re.compile(rb"3DI\x04\x00[\0-\xff]{5}")
# Junk before the first tag is padding, or the rest of a stream that was cut.
_MAX_JUNK_BYTES = 2**16
_MAX_TAGS = 8
_ID3V1_BYTES = 128
_EMPTY_TAG = b"ID3\3\0\0\0\0\0\0"


def read_id3v2(data: memoryview) -> TagFields:
    """Returns the fields of all ID3v2 tags of a file; of two values, that of the first tag.

    Args:
        data: the whole file. Its tags are at the start, behind junk of up to 64 KiB, or at the end.
    """
    fields: TagFields = {}
    for start in islice(_tag_positions(data), _MAX_TAGS):
        fields = read_id3v2_tag(data[start:]) | fields
    return fields


def read_id3v2_tag(data: memoryview) -> TagFields:
    """Returns the fields of the ID3v2 tag at the start of the bytes, whatever size it claims to have."""
    frames = b"".join(map(_encode_frame, text_frames(data)))
    return read_by_tinytag(b"ID3\3\0\0" + _synchsafe_bytes(len(frames)) + frames) if frames else {}


def read_id3v1(data: memoryview) -> TagFields:
    """Returns the fields of the ID3v1 tag at the end of a file."""
    tag = bytes(data[-_ID3V1_BYTES:])
    return read_by_tinytag(_EMPTY_TAG + tag) if tag.startswith(b"TAG") else {}


def _encode_frame(frame: TextFrame) -> bytes:
    return frame.name + len(frame.body).to_bytes(4, "big") + bytes(2) + frame.body


def _synchsafe_bytes(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _tag_positions(data: memoryview) -> Iterator[int]:
    """Yields the positions of the ID3v2 tags of a file."""
    header = _HEADER.search(data, 0, _MAX_JUNK_BYTES)
    while header:
        yield header.start()
        stop = header.start() + HEADER_BYTES + synchsafe(data, header.start() + 6)
        header = _HEADER.match(data, stop)
    if bytes(data[:4]) == b"DSD ":
        yield int.from_bytes(data[20:28], "little")
    # A tag at the end has a footer, which is a copy of its header.
    stop = tags_start(data)
    if _FOOTER.match(data[max(0, stop - HEADER_BYTES) : stop]):
        yield max(0, stop - 2 * HEADER_BYTES - synchsafe(data, stop - 4))
