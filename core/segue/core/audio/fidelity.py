"""Finds out whether audio was encoded with so few bits that a prediction is less reliable."""

from __future__ import annotations

from segue.core.audio.containers import Bytes, id3_end, iso_boxes, ogg_pages, tags_start

LEAST_KBITS = 64
LEAST_BITS = 16


def is_low_bitrate(data: Bytes, seconds: float) -> bool:
    """Returns whether lossy audio has fewer than ``LEAST_KBITS`` kbit/s, rounded to whole ones.

    Args:
        data: all bytes of the file. In MP3, MP4 and Ogg only the audio counts, in other containers everything.
        seconds: duration of the audio that could be decoded.
    """
    kbits = _audio_bytes(data) * 8 / 1_000 / seconds if seconds else 0.0
    return round(kbits) < LEAST_KBITS


def _audio_bytes(data: Bytes) -> int:
    if bytes(data[4:8]) == b"ftyp":
        return sum(min(box.stop, len(data)) - box.start for box in iso_boxes(data) if box.name == b"mdat")
    if bytes(data[:4]) == b"OggS":
        # The pages before have the tags, which may include a picture.
        return len(data) - next((page.start for page in ogg_pages(data) if page.granule > 0), 0)
    return max(0, tags_start(data) - id3_end(data))
