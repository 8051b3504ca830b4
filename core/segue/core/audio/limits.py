"""The limits of audio that Segue accepts, whatever decodes it."""

from __future__ import annotations

from segue.core.errors import AudioTooLong, AudioUndecodable

MAX_SECONDS = 4 * 3600
MIN_RATE, MAX_RATE = 4_000, 768_000
MAX_CHANNELS = 8
WHOLE_SECONDS = 60
"""Up to this length, decoding the whole track costs less than seeking to ten windows."""


def check_format(rate: int, channels: int) -> None:
    """Checks a file's sample rate in Hz and its number of channels.

    Raises:
        AudioUndecodable: one of them is beyond its limits.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioUndecodable(
            f"The sample rate of {rate:,} Hz is outside {MIN_RATE:,} to {MAX_RATE:,} Hz. Resample it first."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioUndecodable(f"The audio has {channels} channels; the limit is {MAX_CHANNELS}. Mix it down.")


def check_length(seconds: float, *, is_whole: bool = True) -> None:
    """Checks the duration of a track.

    Args:
        seconds: the duration.
        is_whole: False if it is only what was decoded so far.

    Raises:
        AudioTooLong: it is longer than ``MAX_SECONDS``.
    """
    if seconds <= MAX_SECONDS:
        return
    length = f"{seconds / 3600:.1f} h" if is_whole else f"more than {MAX_SECONDS // 3600} h"
    facts = {"actual_seconds": round(seconds)} if is_whole else {}
    raise AudioTooLong(
        f"The audio lasts {length}; the limit is {MAX_SECONDS // 3600} h. Send a part of it.",
        limit_seconds=MAX_SECONDS,
        **facts,
    )
