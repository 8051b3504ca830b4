"""Finds the first frame of an AAC stream (ADTS, ISO/IEC 14496-3) that was joined in the middle."""

from __future__ import annotations

import re

# 12 bits of sync, 1 of MPEG version, 2 of layer, which are 0, 1 of protection.
_SYNC = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
_HEADER_BYTES = 7
_MAX_FRAME_BYTES = 2**13 - 1
# Packets of MPEG-TS and other containers have a few frames in a row, too.
_FRAMES_IN_A_ROW = 10


def first_adts_frame(data: memoryview) -> int:
    """Returns the position of the first of ten frames in a row; 0 if none begins within the length of a frame."""
    starts = (match.start() for match in _SYNC.finditer(data[:_MAX_FRAME_BYTES]))
    return next((start for start in starts if _begins_row(data, start)), 0)


def _begins_row(data: memoryview, position: int) -> bool:
    for _ in range(_FRAMES_IN_A_ROW):
        header = bytes(data[position : position + _HEADER_BYTES])
        if len(header) < _HEADER_BYTES or not _SYNC.match(header):
            return False
        length = int.from_bytes(header[3:6], "big") >> 5 & _MAX_FRAME_BYTES
        if length < _HEADER_BYTES:
            return False
        position += length
    return True
