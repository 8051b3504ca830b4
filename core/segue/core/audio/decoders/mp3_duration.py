"""Finds the duration of an MP3 file without decoding it."""

from __future__ import annotations

import miniaudio


def mp3_seconds(view: memoryview) -> float:
    """Returns the duration of an MP3 file by its Xing header, or by counting its frames, which takes milliseconds.

    It is 0 if the file is not MP3.
    """
    with miniaudio.ffi.from_buffer(view) as data:
        try:
            return float(miniaudio.mp3_get_info(data).duration)
        except (miniaudio.DecodeError, ZeroDivisionError):  # the latter with a damaged sample rate of 0
            return 0.0
