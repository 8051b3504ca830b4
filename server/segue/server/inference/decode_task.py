"""The tasks of the decode workers and their results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.core.features.clips import ExtractedClip, PartialWindows
from segue.core.features.level import Loudness

STREAM_SECONDS = 180.0
"""Time limit of decoding a clip of a stream. 4 h of AAC or Opus, which are decoded whole, take up to 100 s on a busy
machine."""


@dataclass(frozen=True)
class StreamRange:
    """The windows to extract of a clip that is still arriving.

    Attributes:
        first: number of the first window, from 0.
        ended: True if no more bytes will come.
        before: loudness of the windows before the first.
    """

    first: int
    ended: bool
    before: Loudness


@dataclass(frozen=True)
class DecodeTask:
    """A clip to decode.

    Attributes:
        audio: a file or its bytes; or those that have arrived so far.
        deadline: time after which nothing needs the result, on the clock of ``time.monotonic``, or None.
        stream_range: windows to extract of a clip that is still arriving, or None for a complete clip.
        identify: True to compute the track id of a complete clip, too.
    """

    audio: Path | bytes
    deadline: float | None = None
    stream_range: StreamRange | None = None
    identify: bool = False


@dataclass(frozen=True)
class DecodedClip:
    """The windows of a clip, and the times of its stages on the clock of ``time.monotonic``.

    Attributes:
        clip: the extracted clip, or the windows of one that is still arriving.
        begun: start of the task.
        decoded: end of decoding; for a clip that is read window by window, only the header is decoded then.
        done: end of the feature extraction.
        track_id: the track id, or None unless the task asked for it.
    """

    clip: ExtractedClip | PartialWindows
    begun: float
    decoded: float
    done: float
    track_id: str | None = None
