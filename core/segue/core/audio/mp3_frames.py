"""Finds the first frame of an MP3 stream that was joined in the middle, or has something in front of it."""

from __future__ import annotations

import re

# Bit rates of layer III in kbit/s, by the four bits of the header, for MPEG 1 and for MPEG 2 and 2.5.
_BIT_RATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
# Sample rates of MPEG 1 in Hz; MPEG 2 has a half of them, and MPEG 2.5 a quarter.
_RATES = (44_100, 48_000, 32_000, 0)
_RATE_DIVISORS = {3: 1, 2: 2, 0: 4}
_HEADER_BYTES = 4
_FRAMES_IN_A_ROW = 3
_MAX_SEARCHED_BYTES = 2**20


def first_frame(data: memoryview) -> int:
    """Returns the position of the first of three frames in a row; 0 if there is none in the first MiB."""
    for match in re.finditer(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", data[:_MAX_SEARCHED_BYTES]):
        position = match.start()
        for _ in range(_FRAMES_IN_A_ROW):
            length = _frame_bytes(data, position)
            if length == 0:
                break
            position += length
        else:
            return match.start()
    return 0


def _frame_bytes(data: memoryview, position: int) -> int:
    """Returns the length of the layer III frame at this position, or 0 if there is none."""
    header = int.from_bytes(data[position : position + _HEADER_BYTES], "big")
    # 11 bits of sync, 2 of version, 2 of layer, 1 of protection, 4 of bit rate, 2 of sample rate, 1 of padding.
    version = header >> 19 & 3
    if header >> 21 != 0x7FF or header >> 17 & 3 != 1 or version not in _RATE_DIVISORS:
        return 0
    is_mpeg_1 = version == 3
    bit_rate = 1_000 * _BIT_RATES[is_mpeg_1][header >> 12 & 15]
    rate = _RATES[header >> 10 & 3] // _RATE_DIVISORS[version]
    if bit_rate == 0 or rate == 0:
        return 0
    return (144 if is_mpeg_1 else 72) * bit_rate // rate + (header >> 9 & 1)
