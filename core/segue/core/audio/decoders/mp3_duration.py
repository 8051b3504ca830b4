"""Finds the duration of an MP3 file without decoding it."""

from __future__ import annotations

import miniaudio


def mp3_seconds(audio: memoryview) -> float:
    """Returns the duration of MP3 frames by counting them, which takes milliseconds; 0 if there are none.

    If the bytes begin with a Xing header in its frame, its number of frames is believed; without it, they are counted.
    """
    with miniaudio.ffi.from_buffer(audio) as data:
        try:
            return float(miniaudio.mp3_get_info(data).duration)
        except (miniaudio.DecodeError, ZeroDivisionError):  # the latter with a damaged sample rate of 0
            return 0.0
