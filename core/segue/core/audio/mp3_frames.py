"""Finds the frames of an MPEG audio stream that was joined in the middle, or has something in front of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, chain, islice, pairwise
from typing import NamedTuple

# Bit rates in kbit/s by the four bits of the header. A rate of 0 is free, which no encoder uses, but junk often has.
_MPEG_1_BIT_RATES = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
}
_MPEG_2_BIT_RATES = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
# Sample rates of MPEG 1 in Hz; MPEG 2 has a half of them, and MPEG 2.5 a quarter.
_RATES = (44_100, 48_000, 32_000, 0)
_RATE_DIVISORS = {3: 1, 2: 2, 0: 4}
_HEADER_BYTES = 4
# The bits of version, layer and sample rate.
_KIND = 0x001E0C00
_FRAMES_IN_A_ROW = 3
_MAX_SEARCHED_BYTES = 2**20
_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff][\x10-\xef]")
# More are not tried: in other formats, many bytes may look like the beginning of a frame.
_MAX_STARTS = 20_000
# If less of a file are frames, it is something else: the bits of DTS and of many programs contain a few.
_MIN_FRAME_SHARE = 0.5


class Frame(NamedTuple):
    """The header of a frame.

    Attributes:
        position: position of its first byte.
        stop: position after its last byte.
        kind: its version, layer and sample rate, which all frames of a stream share.
        rate: sample rate in Hz.
        samples: number of samples in each channel.
    """

    position: int
    stop: int
    kind: int
    rate: int
    samples: int


def first_frame(data: memoryview) -> int:
    """Returns the position of the first of three frames in a row; 0 if there is none in the first MiB."""
    start = next(frames(data[:_MAX_SEARCHED_BYTES]), None)
    return start.position if start else 0


def is_mpeg_audio(audio: memoryview) -> bool:
    """Returns whether frames are at least half of a file without its tags."""
    found = accumulate(frame.stop - frame.position for frame in frames(audio))
    return any(count >= _MIN_FRAME_SHARE * len(audio) for count in found)


def has_one_rate(audio: memoryview) -> bool:
    """Returns whether all frames have one sample rate; joined files may have several."""
    return len({frame.rate for frame in frames(audio)}) <= 1


def gaps(audio: memoryview) -> Iterator[memoryview]:
    """Yields the bytes between the frames of a file without its tags, where there are any."""
    for before, after in pairwise(frames(audio)):
        if before.stop != after.position:
            yield audio[before.stop : after.position]


def frames(data: memoryview) -> Iterator[Frame]:
    """Yields the frames that follow each other, at least three in a row, and skips everything between such rows."""
    position = 0
    for _ in range(_MAX_STARTS):
        match = _SYNC.search(data, position)
        if match is None:
            return
        position = match.start() + 1
        row = _row(data, match.start())
        head = list(islice(row, _FRAMES_IN_A_ROW))
        if len(head) == _FRAMES_IN_A_ROW:
            for frame in chain(head, row):
                yield frame
                position = frame.stop


def _row(data: memoryview, position: int) -> Iterator[Frame]:
    """Yields the frames of one kind that follow each other from this position on."""
    first = frame = _frame_at(data, position)
    while frame is not None and first is not None and frame.kind == first.kind:
        yield frame
        frame = _frame_at(data, frame.stop)


def _frame_at(data: memoryview, position: int) -> Frame | None:
    header = int.from_bytes(data[position : position + _HEADER_BYTES], "big")
    # 11 bits of sync, 2 of version, 2 of layer, 1 of protection, 4 of bit rate, 2 of sample rate, 1 of padding.
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    if header >> 21 != 0x7FF or layer == 4 or version not in _RATE_DIVISORS:
        return None
    bit_rates = _MPEG_1_BIT_RATES if version == 3 else _MPEG_2_BIT_RATES
    bit_rate = 1_000 * bit_rates[layer][header >> 12 & 15]
    rate = _RATES[header >> 10 & 3] // _RATE_DIVISORS[version]
    if bit_rate == 0 or rate == 0:
        return None
    samples, slot_bytes = _samples(version, layer), 4 if layer == 1 else 1
    slots = samples // 8 * bit_rate // rate // slot_bytes + (header >> 9 & 1)
    return Frame(position, position + slots * slot_bytes, header & _KIND, rate, samples)


def _samples(version: int, layer: int) -> int:
    if layer == 1:
        return 384
    return 576 if layer == 3 and version != 3 else 1_152
