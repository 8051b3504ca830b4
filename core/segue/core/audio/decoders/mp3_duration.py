"""Finds the duration of an MP3 file without decoding it."""

from __future__ import annotations

import miniaudio

from segue.core.audio.containers import xing_header


def mp3_seconds(view: memoryview) -> float:
    """Returns the duration of an MP3 file by counting its frames, which takes milliseconds.

    Encoders say in the Xing header how much silence they added; it is not subtracted. The duration is 0 if the file is
    not MP3.
    """
    xing = xing_header(view)
    # Without the Xing header, whose number of frames may be false, miniaudio counts.
    with miniaudio.ffi.from_buffer(view[xing.position :] if xing else view) as data:
        try:
            return float(miniaudio.mp3_get_info(data).duration)
        except (miniaudio.DecodeError, ZeroDivisionError):  # the latter with a damaged sample rate of 0
            return 0.0
